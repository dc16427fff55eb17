import type { NumberKey, SettingProblem } from '../../chat/settings-form.ts'
import type { Texts } from '../../i18n/en.ts'
import { formatCount, formatExact } from '../../i18n/format.ts'

const keys = {
  temperature: ['temperature', 'temperatureHint'],
  topP: ['topP', 'topPHint'],
  topK: ['topK', 'topKHint'],
  minP: ['minP', 'minPHint'],
  repetitionPenalty: ['repetitionPenalty', 'repetitionPenaltyHint'],
  maxTokens: ['maxTokens', 'maxTokensHint'],
  seed: ['seed', 'seedHint'],
} as const satisfies Record<NumberKey, readonly [string, string]>

export function fieldTexts(texts: Texts, key: NumberKey): { readonly label: string; readonly hint: string } {
  const [label, hint] = keys[key]
  return { label: texts[label], hint: texts[hint] }
}

export function problemWords(texts: Texts, problem: SettingProblem): string {
  switch (problem.kind) {
    case 'not-a-number':
      return texts.notANumber
    case 'not-whole':
      return texts.notWhole
    case 'out-of-range':
      return texts.outOfRange(formatExact(problem.min), formatExact(problem.max))
    case 'too-many-stops':
      return texts.tooManyStops(problem.max)
    case 'stop-too-long':
      return texts.stopTooLong(formatCount(problem.max))
  }
}
