import { useId } from 'react'
import { useTexts } from '../../i18n/texts.ts'
import { Modal } from '../../ui/modal.tsx'
import { ShortcutList } from '../shortcuts/shortcut-list.tsx'
import { ChatTransfer } from './chat-transfer.tsx'
import { useServices } from '../../app/services.ts'
import { chooseLocale, isLanguage, type Language, languages } from '../../i18n/languages.ts'
import { useStore } from '../../store.ts'
import type { Theme } from '../../storage/preferences.ts'
import './preferences.css'

/** The preferences for the whole page in this browser. Every choice takes effect immediately. */
export function PreferencesDialog({ onClose }: { readonly onClose: () => void }) {
  const texts = useTexts()
  return (
    <Modal title={texts.preferences} size="wide" onClose={onClose}>
      <div className="preferences">
        <div className="preferences-looks">
          <ThemeChoice />
          <LanguageSelect />
        </div>
        <ChatTransfer onDeleted={onClose} />
        <details className="preferences-shortcuts">
          <summary>{texts.shortcuts}</summary>
          <ShortcutList />
        </details>
      </div>
    </Modal>
  )
}

function LanguageSelect() {
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

const themes = [
  ['system', 'themeSystem'],
  ['light', 'themeLight'],
  ['dark', 'themeDark'],
] as const satisfies readonly (readonly [Theme, string])[]

function ThemeChoice() {
  const { preferences } = useServices()
  const texts = useTexts()
  const chosen = useStore(preferences, ({ theme }) => theme)
  return (
    <fieldset className="choice">
      <legend>{texts.theme}</legend>
      <div className="choice-options">
        {themes.map(([theme, text]) => (
          <label key={theme} className="choice-option">
            <input
              type="radio"
              name="theme"
              checked={theme === chosen}
              onChange={() => preferences.change({ theme })}
            />
            {texts[text]}
          </label>
        ))}
      </div>
    </fieldset>
  )
}
