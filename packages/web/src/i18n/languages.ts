import { en, type Texts } from './en.ts'

/** The languages of the page, by their BCP 47 tags: a name in the language itself, and its texts. */
export const languages = {
  en: { name: 'English', load: () => Promise.resolve<Texts>(en) },
  de: { name: 'Deutsch', load: async () => (await import('./de.ts')).de },
} as const satisfies Record<string, { readonly name: string; readonly load: () => Promise<Texts> }>

export type Language = keyof typeof languages

/** What a reader chose: a language, or whatever the browser is set to. */
export type LanguageChoice = Language | 'system'

export function isLanguage(value: unknown): value is Language {
  return typeof value === 'string' && Object.hasOwn(languages, value)
}

export interface Locale {
  readonly language: Language
  /** For numbers and dates: of the same language, where possible as they are written in the reader's country. */
  readonly tag: string
}

/** The first of the languages that the browser asks for and the page has; English where it has none of them. */
export function chooseLocale(choice: LanguageChoice, browserTags: readonly string[]): Locale {
  const known = browserTags.flatMap((tag): readonly Locale[] => {
    const language = tag.split('-')[0]?.toLowerCase()
    return isLanguage(language) ? [{ language, tag }] : []
  })
  if (choice === 'system') return known[0] ?? { language: 'en', tag: 'en' }
  return known.find(({ language }) => language === choice) ?? { language: choice, tag: choice }
}
