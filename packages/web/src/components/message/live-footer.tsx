import { type ReactNode, useEffect, useState } from 'react'
import type { ModelInfo } from '../../api/models.ts'
import { hasBegun, type LiveAnswer, tokensPerSecond } from '../../chat/live-answer.ts'
import { formatRate } from '../../i18n/format.ts'
import { useTexts } from '../../i18n/texts.ts'
import { waitWords } from './swarm-words.ts'
import { formatRoute } from '../../app/router.ts'
import { useServices } from '../../app/services.ts'
import { ModelProgress } from '../model-state.tsx'

interface LiveFooterProps {
  readonly live: LiveAnswer
  readonly model: ModelInfo | undefined
}

/** What is going on while an answer is written. */
export function LiveFooter({ live, model }: LiveFooterProps) {
  const texts = useTexts()
  const rate = tokensPerSecond(live)
  const { retry } = live
  const waiting = !hasBegun(live)
  const wait = retry ? undefined : live.waiting
  return (
    <>
      {waiting && model && <ModelLoading model={model} />}
      <div className="answer-live">
        <span className="answer-pulse" aria-hidden="true" />
        {retry && <span>{retry.reason === 'network' ? texts.retryingNetwork : texts.retryingCapacity}</span>}
        {wait && <span>{waitWords(texts, wait)}</span>}
        {!retry && !wait && waiting && <span>{texts.waiting}</span>}
        {!wait && rate !== undefined && (
          <span className="answer-rate">{texts.tokensPerSecond(formatRate(rate))}</span>
        )}
        {!wait && rate !== undefined && <SlowHint engine={model?.engine} rate={rate} />}
      </div>
    </>
  )
}

/** Below it, in tokens a second, reading is faster than the swarm. */
const SLOW = 1

/** A swarm that is slow gets faster with every computer that joins: says how. */
function SlowHint({ engine, rate }: { readonly engine: string | undefined; readonly rate: number }) {
  const texts = useTexts()
  if (engine !== 'petals' || rate >= SLOW) return null
  return (
    <span className="slow-hint">
      {texts.tooSlow} <a href={formatRoute({ page: 'swarm' })}>{texts.connectGpu}</a>
    </span>
  )
}

/** The request that makes a model load is on its way: after so many milliseconds the server knows of it. */
const ASK_AFTER_MS = 400

/** How far the model is on its way into memory, for whoever waits for its first word. */
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

/** Longer than it takes to ask for an answer, or to find the stream of one again after a reload. */
const PATIENCE_MS = 2000

interface DueFooterProps {
  /** Something of it is there. */
  readonly begun: boolean
  /** What can be done with an answer that another tab writes, and says nothing of. */
  readonly children: ReactNode
}

/** Below an answer that is being written, of which this tab has heard nothing yet. */
export function DueFooter({ begun, children }: DueFooterProps) {
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
