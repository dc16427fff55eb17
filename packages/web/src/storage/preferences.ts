import { isRecord } from '../api/read-json.ts'
import { isLanguage, type LanguageChoice } from '../i18n/languages.ts'
import type { Store } from '../store.ts'
import { createStoredValue } from './stored-value.ts'

export type Theme = 'system' | 'light' | 'dark'

/** The reader's choices in this browser. */
export interface Preferences {
  readonly theme: Theme
  readonly language: LanguageChoice
  /** The model of the next new chat. */
  readonly model: string | undefined
  readonly sidebarOpen: boolean
  /** Names of the tools that are on in the next new chat. */
  readonly tools: readonly string[]
}

/** `public/early.js` reads theme and language from here before the first paint. */
const KEY = 'petals-chat.preferences'

export interface PreferencesStore extends Store<Preferences> {
  change(changes: Partial<Preferences>): void
}

export function createPreferences(
  storage: Storage | undefined,
  events?: Pick<Window, 'addEventListener'>,
): PreferencesStore {
  const value = createStoredValue({ storage, events, key: KEY, parse })
  return {
    get: value.get,
    subscribe: value.subscribe,
    change: (changes) => value.set({ ...value.get(), ...changes }),
  }
}

function parse(value: unknown): Preferences {
  const { theme, language, model, sidebarOpen, tools } = isRecord(value) ? value : {}
  return {
    theme: theme === 'light' || theme === 'dark' ? theme : 'system',
    language: isLanguage(language) ? language : 'system',
    model: typeof model === 'string' ? model : undefined,
    tools: Array.isArray(tools) ? tools.filter((name) => typeof name === 'string') : [],
    sidebarOpen: typeof sidebarOpen === 'boolean' ? sidebarOpen : true,
  }
}
