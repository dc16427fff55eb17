import type { ChatSettings, SamplingSettings } from './types.ts'

export type NumberKey = Exclude<keyof SamplingSettings, 'stop'>

/** The values that the server accepts, so that the page can report a problem before it sends anything. */
export interface NumberField {
  readonly key: NumberKey
  readonly min: number
  readonly max: number
  readonly whole: boolean
  /** The step of the arrow keys. */
  readonly step: number
  /** The server's value if neither the request nor the model sets one; undefined if it is not a number. */
  readonly fallback?: number
}

export const numberFields: readonly NumberField[] = [
  { key: 'temperature', min: 0, max: 2, whole: false, step: 0.1, fallback: 1 },
  { key: 'topP', min: 0, max: 1, whole: false, step: 0.05, fallback: 1 },
  { key: 'topK', min: 0, max: 1_000_000, whole: true, step: 1, fallback: 0 },
  { key: 'minP', min: 0, max: 1, whole: false, step: 0.05, fallback: 0 },
  { key: 'repetitionPenalty', min: 0.01, max: 10, whole: false, step: 0.05, fallback: 1 },
  { key: 'maxTokens', min: 1, max: 1_000_000, whole: true, step: 64 },
  { key: 'seed', min: 0, max: 4_294_967_295, whole: true, step: 1 },
]

const MAX_STOPS = 4
const MAX_STOP_LENGTH = 1000

/** The settings as a reader edits them: every field is text; an empty one means the model's default. */
export type SettingsForm = Readonly<Record<NumberKey | 'systemPrompt' | 'stop', string>>

export type SettingProblem =
  | { readonly kind: 'not-a-number' | 'not-whole' }
  | { readonly kind: 'out-of-range'; readonly min: number; readonly max: number }
  | { readonly kind: 'too-many-stops' | 'stop-too-long'; readonly max: number }

export type SettingProblems = Partial<Record<keyof SettingsForm, SettingProblem>>

export function toForm(settings: ChatSettings): SettingsForm {
  const numbers = Object.fromEntries(numberFields.map(({ key }) => [key, settings[key]?.toString() ?? '']))
  return {
    ...(numbers as Record<NumberKey, string>),
    systemPrompt: settings.systemPrompt ?? '',
    stop: (settings.stop ?? []).map(escapeLine).join('\n'),
  }
}

/** Parses a form. `settings` holds the valid fields. */
export function fromForm(form: SettingsForm): {
  readonly settings: ChatSettings
  readonly problems: SettingProblems
} {
  const problems: SettingProblems = {}
  const numbers: Partial<Record<NumberKey, number>> = {}
  for (const field of numberFields) {
    const value = parseNumber(form[field.key], field)
    if (typeof value === 'number') numbers[field.key] = value
    else if (value) problems[field.key] = value
  }
  const stop = form.stop
    .split('\n')
    .filter((line) => line !== '')
    .map(unescapeLine)
  if (stop.length > MAX_STOPS) problems.stop = { kind: 'too-many-stops', max: MAX_STOPS }
  else if (stop.some((text) => text.length > MAX_STOP_LENGTH))
    problems.stop = { kind: 'stop-too-long', max: MAX_STOP_LENGTH }
  return {
    settings: {
      ...numbers,
      ...(form.systemPrompt.trim() && { systemPrompt: form.systemPrompt.trim() }),
      ...(stop.length > 0 && !problems.stop && { stop }),
    },
    problems,
  }
}

/** Reads settings from a file or another version of the page; drops invalid fields. */
export function readSettings(raw: Record<string, unknown>): ChatSettings {
  const numbers = numberFields.flatMap(({ key }) => (typeof raw[key] === 'number' ? [[key, raw[key]]] : []))
  const { systemPrompt, stop } = raw
  const settings: ChatSettings = {
    ...Object.fromEntries(numbers),
    ...(typeof systemPrompt === 'string' && { systemPrompt }),
    ...(Array.isArray(stop) && { stop: stop.filter((entry) => typeof entry === 'string') }),
  }
  return fromForm(toForm(settings)).settings
}

/** Returns undefined for an empty field. Accepts a decimal comma, which half of the world writes. */
function parseNumber(text: string, { min, max, whole }: NumberField): number | SettingProblem | undefined {
  const trimmed = text.trim().replace(',', '.')
  if (trimmed === '') return undefined
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)$/.test(trimmed)) return { kind: 'not-a-number' }
  const value = Number(trimmed)
  if (value < min || value > max) return { kind: 'out-of-range', min, max }
  return whole && !Number.isInteger(value) ? { kind: 'not-whole' } : value
}

/** Each stop text has one line: a line break within it is written `\n`. */
function escapeLine(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\t', '\\t')
}

function unescapeLine(line: string): string {
  return line.replace(/\\([\\nt])/g, (_match, mark: string) =>
    mark === 'n' ? '\n' : mark === 't' ? '\t' : '\\',
  )
}
