import type { LanguageStore } from '../i18n/language-store.ts'
import type { PreferencesStore, Theme } from '../storage/preferences.ts'

/** Keeps theme and language of the document as they are chosen, here or in another tab. Resolves in the first language. */
export async function followPreferences(
  preferences: PreferencesStore,
  language: LanguageStore,
): Promise<void> {
  const follow = (): Promise<void> => {
    const chosen = preferences.get()
    showTheme(chosen.theme)
    return language.choose(chosen.language)
  }
  preferences.subscribe(() => void follow())
  language.subscribe(() => (document.documentElement.lang = language.get().language))
  await follow()
}

/** `public/early.js` has done so before the first paint; the colour of the browser's own bars follows here. */
function showTheme(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset['theme']
  else document.documentElement.dataset['theme'] = theme
  for (const meta of document.querySelectorAll<HTMLMetaElement>('meta[name="theme-color"]')) {
    meta.dataset['system'] ??= meta.media
    meta.media =
      theme === 'system' ? meta.dataset['system'] : meta.dataset['system'].includes(theme) ? 'all' : 'not all'
  }
}
