import { createStore, type Store } from '../store.ts'
import { en, type Texts } from './en.ts'
import { formatIn } from './format.ts'
import { chooseLocale, languages, type Language, type LanguageChoice } from './languages.ts'

export interface LanguageState {
  readonly language: Language
  readonly texts: Texts
}

export interface LanguageStore extends Store<LanguageState> {
  /** Resolves when the page speaks that language, or can't: then it stays as it was. */
  choose(choice: LanguageChoice): Promise<void>
}

/** The language that the page speaks: its texts, and how numbers and dates are written. English until it is told. */
export function createLanguageStore(browserTags: readonly string[]): LanguageStore {
  const store = createStore<LanguageState>({ language: 'en', texts: en })
  let wanted = ''
  return {
    get: store.get,
    subscribe: store.subscribe,
    async choose(choice) {
      const { language, tag } = chooseLocale(choice, browserTags)
      wanted = tag
      // A catalogue is a file: without a network it may be missing.
      const texts = await languages[language].load().catch(() => undefined)
      if (!texts || wanted !== tag) return
      formatIn(tag)
      store.set({ language, texts })
    },
  }
}
