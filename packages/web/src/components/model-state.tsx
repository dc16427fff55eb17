import type { LoadProgress, ModelState } from '../api/models.ts'
import type { Texts } from '../i18n/en.ts'
import { useTexts } from '../i18n/texts.ts'
import { formatBytes, formatCount, formatPercent } from '../i18n/format.ts'
import './model-state.css'

const labels = {
  idle: 'stateIdle',
  loading: 'stateLoading',
  ready: 'stateReady',
  degraded: 'stateDegraded',
  unavailable: 'stateUnavailable',
  unknown: 'stateUnknown',
} as const

export function modelStateLabel(texts: Texts, { name }: ModelState): string {
  return texts[labels[name]]
}

/** A dot in the colour of the state; its shape differs too, for readers who can't distinguish colours. */
export function ModelDot({ state }: { readonly state: ModelState }) {
  return <span className="model-dot" data-state={state.name} aria-hidden="true" />
}

/** The loading progress of a model. */
export function ModelProgress({ progress }: { readonly progress: LoadProgress }) {
  const texts = useTexts()
  const { total, done } = progress
  const label = `${phaseLabel(texts, progress)} ${progress.label}`.trim()
  return (
    <div className="model-progress">
      <div className="model-progress-words">
        <span className="model-progress-label">{label}</span>
        <span>{amount(texts, progress)}</span>
      </div>
      <progress aria-label={label} max={total ?? 1} {...(total === undefined ? {} : { value: done })} />
    </div>
  )
}

function phaseLabel(texts: Texts, { phase }: LoadProgress): string {
  switch (phase) {
    case 'download':
      return texts.phaseDownload
    case 'verify':
      return texts.phaseVerify
    case 'connect':
      return texts.phaseConnect
    default:
      return texts.phaseLoad
  }
}

function amount(texts: Texts, { done, total, unit }: LoadProgress): string {
  if (unit === 'bytes')
    return total === undefined ? formatBytes(done) : texts.progressOf(formatBytes(done), formatBytes(total))
  if (unit === 'blocks' && total !== undefined) return texts.progressOf(formatCount(done), formatCount(total))
  return total ? formatPercent(done / total) : ''
}
