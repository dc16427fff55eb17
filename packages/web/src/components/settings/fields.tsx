import { useId, type KeyboardEvent } from 'react'
import type { NumberField, SettingProblem, SettingsForm } from '../../chat/settings-form.ts'
import { formatExact } from '../../i18n/format.ts'
import { useTexts } from '../../i18n/texts.ts'
import { pressedKey } from '../../ui/pressed-key.ts'
import { fieldTexts, problemWords } from './setting-words.ts'

interface TextSettingProps {
  readonly name: keyof SettingsForm
  readonly label: string
  readonly hint: string
  readonly placeholder?: string
  readonly rows: number
  readonly problem?: SettingProblem | undefined
  readonly value: string
  readonly onChange: (value: string) => void
}

export function TextSetting({
  name,
  label,
  hint,
  placeholder,
  rows,
  problem,
  value,
  onChange,
}: TextSettingProps) {
  const texts = useTexts()
  const id = useId()
  return (
    <div className="setting">
      <label htmlFor={id}>{label}</label>
      <textarea
        id={id}
        name={name}
        rows={rows}
        dir="auto"
        value={value}
        placeholder={placeholder}
        aria-invalid={problem !== undefined}
        aria-describedby={`${id}-hint`}
        onChange={(event) => onChange(event.target.value)}
      />
      <SettingHint id={`${id}-hint`} hint={hint} problem={problem && problemWords(texts, problem)} />
    </div>
  )
}

interface NumberSettingProps {
  readonly field: NumberField
  readonly modelDefault: number | undefined
  readonly problem: SettingProblem | undefined
  readonly value: string
  readonly onChange: (value: string) => void
}

/** A text field, not one of type `number`: that type hides invalid input, and browsers treat commas differently. */
export function NumberSetting({ field, modelDefault, problem, value, onChange }: NumberSettingProps) {
  const texts = useTexts()
  const id = useId()
  const { label, hint } = fieldTexts(texts, field.key)
  const usual = modelDefault ?? field.fallback
  const placeholder =
    usual !== undefined
      ? texts.usually(formatExact(usual))
      : field.key === 'seed'
        ? texts.anySeed
        : texts.noLimit
  const onKeyDown = (event: KeyboardEvent): void => {
    const direction = { ArrowUp: 1, ArrowDown: -1 }[pressedKey(event) ?? '']
    if (direction === undefined) return
    event.preventDefault()
    onChange(stepped(field, value, usual, direction))
  }
  return (
    <div className="setting">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        name={field.key}
        inputMode={field.whole ? 'numeric' : 'decimal'}
        autoComplete="off"
        value={value}
        placeholder={placeholder}
        aria-invalid={problem !== undefined}
        aria-describedby={`${id}-hint`}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <SettingHint id={`${id}-hint`} hint={hint} problem={problem && problemWords(texts, problem)} />
    </div>
  )
}

function SettingHint({
  id,
  hint,
  problem,
}: {
  readonly id: string
  readonly hint: string
  readonly problem: string | undefined
}) {
  return (
    <p id={id} className={problem ? 'setting-problem' : 'setting-hint'} role={problem ? 'alert' : undefined}>
      {problem ?? hint}
    </p>
  )
}

/** Returns the value after one step of an arrow key, from the value or else the default, within the range. */
function stepped({ min, max, step }: NumberField, value: string, base = min, direction: number): string {
  const present = Number(value.trim().replace(',', '.') || base)
  const next = Math.min(max, Math.max(min, present + direction * step))
  return Number.isFinite(next) ? String(Number(next.toFixed(4))) : value
}
