import { type ReactNode, useEffect, useState } from 'react'
import type { ModelInfo } from '../../api/models.ts'
import { hasBegun, type LiveAnswer, type PendingRetry, tokensPerSecond } from '../../chat/live-answer.ts'
import { hasOpenCalls } from '../../chat/tool-calls.ts'
import { formatRate } from '../../i18n/format.ts'
import { useTexts } from '../../i18n/texts.ts'
import { holdWords } from './swarm-words.ts'
import { formatRoute } from '../../app/router.ts'
import { useServices } from '../../app/services.ts'
import { ModelProgress } from '../model-state.tsx'

interface LiveFooterProps {
  readonly live: LiveAnswer
  readonly model: ModelInfo | undefined
}

const retryTexts = {
  network: 'retryingNetwork',
  capacity: 'retryingCapacity',
  'rate-limit': 'retryingRateLimit',
} as const satisfies Record<PendingRetry['reason'], string>

/** The progress of a running answer. */
export function LiveFooter({ live, model }: LiveFooterProps) {
  const texts = useTexts()
  const rate = tokensPerSecond(live)
  const { retry } = live
  const waiting = !hasBegun(live) && live.calls.length === 0
  const hold = retry ? undefined : holdWords(texts, live)
  if (live.calls.some(({ state }) => state === 'asking'))
    return (
      <div className="answer-live">
        <span>{texts.toolWaitsForYou}</span>
      </div>
    )
  // Each call tells its own state.
  if (hasOpenCalls(live.calls)) return <div className="answer-live" />
  return (
    <>
      {waiting && model && <ModelLoading model={model} />}
      <div className="answer-live">
        <span className="answer-pulse" aria-hidden="true" />
        {retry && <span>{texts[retryTexts[retry.reason]]}</span>}
        {hold && <span>{hold}</span>}
        {!retry && !hold && waiting && <span>{texts.waiting}</span>}
        {!retry && !hold && rate !== undefined && (
          <span className="answer-rate">{texts.tokensPerSecond(formatRate(rate))}</span>
        )}
        {!retry && !hold && rate !== undefined && <SlowHint engine={model?.engine} rate={rate} />}
      </div>
    </>
  )
}

/** Below this rate, in tokens per second, the swarm is slower than reading. */
const SLOW = 1

/** Suggests joining a slow swarm: it gets faster with every server. */
function SlowHint({ engine, rate }: { readonly engine: string | undefined; readonly rate: number }) {
  const texts = useTexts()
  if (engine !== 'petals' || rate >= SLOW) return null
  return (
    <span className="slow-hint">
      {texts.tooSlow} <a href={formatRoute({ page: 'swarm' })}>{texts.addComputer}</a>
    </span>
  )
}

/** After this time, the request that loads the model has reached the server. */
const ASK_AFTER_MS = 400

/** The loading progress of the model, shown while its first word is awaited. */
function ModelLoading({ model }: { readonly model: ModelInfo }) {
  const { models } = useServices()
  const { name, progress } = model.state
  useEffect(() => {
    if (name !== 'idle') return undefined
    const timer = setTimeout(() => void models.refresh(), ASK_AFTER_MS)
    return () => clearTimeout(timer)
  }, [name, models])
  return progress ? <ModelProgress progress={progress} /> : null
}

/** Longer than it takes to request an answer, or to resume its stream after a reload. */
const PATIENCE_MS = 2000

interface PendingFooterProps {
  /** Whether some of its text is there. */
  readonly begun: boolean
  /** The actions for an answer that a silent tab is writing. */
  readonly children: ReactNode
}

/** The footer of a running answer about which this tab has no news yet. */
export function PendingFooter({ begun, children }: PendingFooterProps) {
  const texts = useTexts()
  const [late, setLate] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), PATIENCE_MS)
    return () => clearTimeout(timer)
  }, [])
  if (begun && late) return children
  return (
    <div className="answer-live">
      <span className="answer-pulse" aria-hidden="true" />
      {!begun && <span>{texts.waiting}</span>}
    </div>
  )
}
