import { type FormEvent, useRef, useState } from 'react'
import { useChatSettings, useCurrentModel } from '../../app/current-chat.ts'
import { fromForm, numberFields, type SettingsForm, toForm } from '../../chat/settings-form.ts'
import { useTexts } from '../../i18n/texts.ts'
import { Button } from '../../ui/button.tsx'
import { Modal } from '../../ui/modal.tsx'
import { NumberSetting, TextSetting } from './fields.tsx'
import { PresetBar } from './preset-bar.tsx'
import { useSettingsForm } from './use-settings-form.ts'
import './settings-dialog.css'

/**
 * The settings of a chat that differ from the model's defaults. Nothing changes until they are saved; unsaved changes
 * return when the dialog is opened again, unless it was cancelled.
 */
export function SettingsDialog({ onClose }: { readonly onClose: () => void }) {
  const texts = useTexts()
  const { model } = useCurrentModel()
  const { change } = useChatSettings()
  const { form, isRestored, set: setForm, discard } = useSettingsForm()
  const [checked, setChecked] = useState(false)
  const element = useRef<HTMLFormElement>(null)
  const { settings: wanted, problems } = fromForm(form)
  const shown = checked ? problems : onlyRanges(problems)
  const set = (key: keyof SettingsForm) => (value: string) => setForm({ ...form, [key]: value })
  const save = (event: FormEvent): void => {
    event.preventDefault()
    setChecked(true)
    const [wrong] = Object.keys(problems)
    if (wrong) return element.current?.querySelector<HTMLElement>(`[name="${wrong}"]`)?.focus()
    change(wanted)
    discard()
    onClose()
  }
  return (
    <Modal title={texts.settings} size="wide" closesOnBackdrop={false} onClose={onClose}>
      <form ref={element} className="settings" noValidate onSubmit={save}>
        {isRestored && (
          <p className="settings-restored" role="status">
            {texts.settingsRestored}
          </p>
        )}
        <PresetBar
          settings={wanted}
          canSave={Object.keys(problems).length === 0}
          onChoose={(preset) => setForm(toForm(preset))}
        />
        <TextSetting
          name="systemPrompt"
          label={texts.systemPrompt}
          hint={texts.systemPromptHint}
          placeholder={model?.systemPrompt ?? ''}
          rows={4}
          value={form.systemPrompt}
          onChange={set('systemPrompt')}
        />
        <div className="settings-numbers">
          {numberFields.map((field) => (
            <NumberSetting
              key={field.key}
              field={field}
              modelDefault={field.key === 'seed' ? undefined : model?.defaults[field.key]}
              problem={shown[field.key]}
              value={form[field.key]}
              onChange={set(field.key)}
            />
          ))}
        </div>
        <TextSetting
          name="stop"
          label={texts.stopTexts}
          hint={texts.stopTextsHint}
          rows={2}
          problem={shown.stop}
          value={form.stop}
          onChange={set('stop')}
        />
        <div className="modal-actions">
          <Button className="settings-reset" kind="plain" onClick={() => setForm(toForm({}))}>
            {texts.resetSettings}
          </Button>
          <Button
            onClick={() => {
              discard()
              onClose()
            }}
          >
            {texts.cancel}
          </Button>
          <Button kind="primary" type="submit">
            {texts.save}
          </Button>
        </div>
      </form>
    </Modal>
  )
}

/** While the reader types, incomplete numbers such as a lone minus are not reported. */
function onlyRanges(problems: ReturnType<typeof fromForm>['problems']): typeof problems {
  return Object.fromEntries(Object.entries(problems).filter(([, problem]) => problem.kind !== 'not-a-number'))
}
