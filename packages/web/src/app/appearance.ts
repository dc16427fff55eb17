import type { LanguageStore } from '../i18n/language-store.ts'
import type { PreferencesStore, Theme } from '../storage/preferences.ts'

/**
 * Applies theme and language whenever they are chosen, in this tab or another. Resolves once the first language is
 * loaded.
 */
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

/** `public/early.js` sets the theme before the first paint; this also sets the colour of the browser's own bars. */
function showTheme(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset['theme']
  else document.documentElement.dataset['theme'] = theme
  for (const meta of document.querySelectorAll<HTMLMetaElement>('meta[name="theme-color"]')) {
    meta.dataset['system'] ??= meta.media
    meta.media =
      theme === 'system' ? meta.dataset['system'] : meta.dataset['system'].includes(theme) ? 'all' : 'not all'
  }
}
