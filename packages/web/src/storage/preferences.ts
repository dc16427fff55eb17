import { isRecord } from '../api/read-json.ts'
import { createStore, type Store } from '../state/store.ts'

export type Theme = 'system' | 'light' | 'dark'

/** Choices of this reader on this device. */
export interface Preferences {
  readonly theme: Theme
  /** A BCP 47 tag of the catalogue, or the browser's language. */
  readonly language: 'system' | 'en' | 'de'
  /** The model of the next new chat. */
  readonly model: string | undefined
  readonly sidebarOpen: boolean
}

export const defaultPreferences: Preferences = {
  theme: 'system',
  language: 'system',
  model: undefined,
  sidebarOpen: true,
}

/** `public/early.js` reads the theme from here before the first paint. */
const KEY = 'petals-chat.preferences'

export interface PreferencesStore extends Store<Preferences> {
  change(changes: Partial<Preferences>): void
}

/** Preferences in `localStorage`, in step with the other tabs. */
export function createPreferences(
  storage: Storage | undefined,
  events?: Pick<Window, 'addEventListener'>,
): PreferencesStore {
  const store = createStore(read(storage))
  events?.addEventListener('storage', (event) => {
    if (event.key === KEY || event.key === null) store.set(read(storage))
  })
  return {
    get: store.get,
    subscribe: store.subscribe,
    change(changes) {
      store.update((preferences) => ({ ...preferences, ...changes }))
      try {
        storage?.setItem(KEY, JSON.stringify(store.get()))
      } catch {
        // Storage full or refused: the choice holds until the page is closed.
      }
    },
  }
}

function read(storage: Storage | undefined): Preferences {
  try {
    return parse(JSON.parse(storage?.getItem(KEY) ?? '{}'))
  } catch {
    return defaultPreferences
  }
}

function parse(value: unknown): Preferences {
  const raw = isRecord(value) ? value : {}
  const { theme, language, model, sidebarOpen } = raw
  return {
    theme: theme === 'light' || theme === 'dark' ? theme : 'system',
    language: language === 'en' || language === 'de' ? language : 'system',
    model: typeof model === 'string' ? model : undefined,
    sidebarOpen: typeof sidebarOpen === 'boolean' ? sidebarOpen : true,
  }
}
