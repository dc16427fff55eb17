import { useState } from 'react'
import { useServices } from '../../app/services.ts'
import type { ChatSettings } from '../../chat/types.ts'
import { useTexts } from '../../i18n/texts.ts'
import { useStore } from '../../store.ts'
import type { Preset } from '../../storage/presets.ts'
import { Button, IconButton } from '../../ui/button.tsx'
import { pressedKey } from '../../ui/pressed-key.ts'

interface PresetBarProps {
  /** The present settings of the form. */
  readonly settings: ChatSettings
  /** Whether the form is valid. */
  readonly canSave: boolean
  readonly onChoose: (settings: ChatSettings) => void
}

/** The presets: choose, save, delete. */
export function PresetBar({ settings, canSave, onChoose }: PresetBarProps) {
  const { presets } = useServices()
  const texts = useTexts()
  const list = useStore(presets)
  const [chosen, setChosen] = useState('')
  const [name, setName] = useState<string>()
  // Notices are behind the dialog, so the undo of a deletion is here.
  const [removed, setRemoved] = useState<Preset>()
  const remove = (): void => {
    setRemoved(list.find(({ id }) => id === chosen))
    presets.remove(chosen)
    setChosen('')
  }
  const restore = ({ name: ofRemoved, settings: kept }: Preset): void => {
    setChosen(presets.save(ofRemoved, kept).id)
    setRemoved(undefined)
  }
  const choose = (id: string): void => {
    setChosen(id)
    const preset = list.find((other) => other.id === id)
    if (preset) onChoose(preset.settings)
  }
  const save = (): void => {
    if (!name?.trim() || !canSave) return
    setChosen(presets.save(name.trim(), settings).id)
    setName(undefined)
  }
  if (name !== undefined) {
    return (
      <div className="presets" role="group" aria-label={texts.savePreset}>
        <input
          ref={focusOnce}
          aria-label={texts.presetName}
          placeholder={texts.presetName}
          maxLength={60}
          value={name}
          onChange={(event) => setName(event.target.value)}
          onKeyDown={(event) => {
            const key = pressedKey(event)
            if (key === 'Enter') save()
            // Escape closes the field, not the dialog.
            else if (key === 'Escape') setName(undefined)
            else return
            event.preventDefault()
          }}
        />
        <Button kind="primary" disabled={!name.trim() || !canSave} onClick={save}>
          {texts.savePreset}
        </Button>
        <Button onClick={() => setName(undefined)}>{texts.cancel}</Button>
      </div>
    )
  }
  return (
    <div className="presets" role="group" aria-label={texts.presets}>
      <select aria-label={texts.preset} value={chosen} onChange={(event) => choose(event.target.value)}>
        <option value="">{list.length > 0 ? texts.choosePreset : texts.noPresets}</option>
        {list.map((preset) => (
          <option key={preset.id} value={preset.id}>
            {preset.name}
          </option>
        ))}
      </select>
      {chosen && <IconButton icon="trash" label={texts.deletePreset} onClick={remove} />}
      {removed && !chosen && (
        <Button title={removed.name} onClick={() => restore(removed)}>
          {texts.undo}
        </Button>
      )}
      <Button onClick={() => setName(list.find(({ id }) => id === chosen)?.name ?? '')}>
        {texts.saveAsPreset}
      </Button>
    </div>
  )
}

const focusOnce = (element: HTMLElement | null): void => element?.focus()
