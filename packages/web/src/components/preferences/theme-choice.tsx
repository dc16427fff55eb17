import { useServices } from '../../app/services.ts'
import { useTexts } from '../../i18n/texts.ts'
import { useStore } from '../../state/use-store.ts'
import type { Theme } from '../../storage/preferences.ts'

const themes = [
  ['system', 'themeSystem'],
  ['light', 'themeLight'],
  ['dark', 'themeDark'],
] as const satisfies readonly (readonly [Theme, string])[]

export function ThemeChoice() {
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
