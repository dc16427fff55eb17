import { useId } from 'react'
import { useServices } from '../../app/services.ts'
import { chooseLocale, isLanguage, languages, type Language } from '../../i18n/languages.ts'
import { useTexts } from '../../i18n/texts.ts'
import { useStore } from '../../state/use-store.ts'

export function LanguageSelect() {
  const { preferences } = useServices()
  const texts = useTexts()
  const chosen = useStore(preferences, ({ language }) => language)
  const id = useId()
  const ofBrowser = languages[chooseLocale('system', navigator.languages).language]
  return (
    <div className="choice">
      <label htmlFor={id}>{texts.language}</label>
      <select
        id={id}
        value={chosen}
        onChange={({ target: { value } }) =>
          preferences.change({ language: isLanguage(value) ? value : 'system' })
        }
      >
        <option value="system">{texts.languageSystem(ofBrowser.name)}</option>
        {(Object.keys(languages) as Language[]).map((language) => (
          <option key={language} value={language} lang={language}>
            {languages[language].name}
          </option>
        ))}
      </select>
    </div>
  )
}
