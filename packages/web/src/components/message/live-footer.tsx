import type { ModelInfo } from '../../api/models.ts'
import { hasBegun, tokensPerSecond, type LiveAnswer } from '../../chat/live-answer.ts'
import { formatRate } from '../../i18n/format.ts'
import { useTexts } from '../../i18n/texts.ts'
import { ModelLoading } from './model-loading.tsx'
import { SlowHint } from './slow-hint.tsx'
import { waitWords } from './wait-words.ts'

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
