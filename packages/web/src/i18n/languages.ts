import { en, type Texts } from './en.ts'

/** The languages of the page by BCP 47 tag: the name in the language itself, and the texts. */
export const languages = {
  en: { name: 'English', load: () => Promise.resolve<Texts>(en) },
  de: { name: 'Deutsch', load: async () => (await import('./de.ts')).de },
} as const satisfies Record<string, { readonly name: string; readonly load: () => Promise<Texts> }>

export type Language = keyof typeof languages

/** The reader's choice: a language, or that of the browser. */
export type LanguageChoice = Language | 'system'

export function isLanguage(value: unknown): value is Language {
  return typeof value === 'string' && Object.hasOwn(languages, value)
}

export interface Locale {
  readonly language: Language
  /** The locale for numbers and dates: in the same language and, if possible, of the reader's country. */
  readonly tag: string
}

/** Returns the first of the browser's languages that the page has; English if it has none of them. */
export function chooseLocale(choice: LanguageChoice, browserTags: readonly string[]): Locale {
  const known = browserTags.flatMap((tag): readonly Locale[] => {
    const language = tag.split('-')[0]?.toLowerCase()
    return isLanguage(language) ? [{ language, tag }] : []
  })
  if (choice === 'system') return known[0] ?? { language: 'en', tag: 'en' }
  return known.find(({ language }) => language === choice) ?? { language: choice, tag: choice }
}
