import { createStore, type Store } from '../store.ts'
import { en, type Texts } from './en.ts'
import { formatIn } from './format.ts'
import { chooseLocale, languages, type Language, type LanguageChoice } from './languages.ts'

export interface LanguageState {
  readonly language: Language
  readonly texts: Texts
}

export interface LanguageStore extends Store<LanguageState> {
  /** Resolves when the page uses the language, or when its texts can't be loaded: then nothing changes. */
  choose(choice: LanguageChoice): Promise<void>
}

/** The language of the page: its texts, and the format of numbers and dates. English until another one is chosen. */
export function createLanguageStore(browserTags: readonly string[]): LanguageStore {
  const store = createStore<LanguageState>({ language: 'en', texts: en })
  let wanted = ''
  return {
    get: store.get,
    subscribe: store.subscribe,
    async choose(choice) {
      const { language, tag } = chooseLocale(choice, browserTags)
      wanted = tag
      // A catalogue is a separate file: without a network it may be missing.
      const texts = await languages[language].load().catch(() => undefined)
      if (!texts || wanted !== tag) return
      formatIn(tag)
      store.set({ language, texts })
    },
  }
}
