import { memo } from 'react'
import { useServices } from '../app/services.ts'
import { tokensPerSecond, type LiveAnswer } from '../chat/live-answer.ts'
import { splitReasoning } from '../chat/reasoning.ts'
import type { Message } from '../chat/types.ts'
import { formatRate } from '../i18n/format.ts'
import { useTexts } from '../i18n/texts.ts'
import { Markdown } from '../markdown/markdown.tsx'
import { useStore } from '../state/use-store.ts'
import { AnswerError } from './answer-error.tsx'
import { Button, IconButton } from './button.tsx'
import { CopyButton } from './copy-button.tsx'
import './message.css'

interface AnswerViewProps {
  readonly message: Message
  readonly isLast: boolean
}

/** An answer, finished or in the making. */
export const AnswerView = memo(function AnswerView({ message, isLast }: AnswerViewProps) {
  const { answers, models } = useServices()
  const live = useStore(answers.live, (all) => all.get(message.id))
  const modelName =
    useStore(models, (state) => state.models.find(({ id }) => id === message.model)?.name) ??
    message.model ??
    ''
  const { answer } = splitReasoning(live?.content ?? message.content, live?.reasoning ?? message.reasoning)
  return (
    <article className="message answer" aria-label={modelName} aria-busy={live !== undefined}>
      {answer && <Markdown text={answer} />}
      {live ? <LiveFooter live={live} /> : <AnswerFooter message={message} answer={answer} isLast={isLast} />}
    </article>
  )
})

function LiveFooter({ live }: { readonly live: LiveAnswer }) {
  const texts = useTexts()
  const rate = tokensPerSecond(live)
  const waiting = live.pieces === 0
  return (
    <div className="answer-live">
      <span className="answer-pulse" aria-hidden="true" />
      {live.retry && (
        <span>{live.retry.reason === 'network' ? texts.retryingNetwork : texts.retryingCapacity}</span>
      )}
      {waiting && !live.retry && <span>{texts.waiting}</span>}
      {rate !== undefined && <span className="answer-rate">{texts.tokensPerSecond(formatRate(rate))}</span>}
    </div>
  )
}

interface AnswerFooterProps {
  readonly message: Message
  readonly answer: string
  readonly isLast: boolean
}

function AnswerFooter({ message, answer, isLast }: AnswerFooterProps) {
  const { conversation } = useServices()
  const texts = useTexts()
  const { chatId, id, status, stats } = message
  const canContinue =
    isLast && (status === 'stopped' || status === 'length' || status === 'interrupted') && answer !== ''
  return (
    <>
      {status === 'error' && <AnswerError message={message} />}
      <div className="message-actions">
        {answer && <CopyButton text={answer} label={texts.copy} />}
        <IconButton
          size="small"
          icon="retry"
          label={texts.regenerate}
          onClick={() => conversation.regenerate(chatId, id)}
        />
        {canContinue && (
          <Button kind="plain" icon="forward" onClick={() => conversation.continue(chatId, id)}>
            {texts.continueAnswer}
          </Button>
        )}
        <span className="answer-facts">
          {status === 'stopped' && <span>{texts.statusStopped}</span>}
          {status === 'length' && <span>{texts.statusLength}</span>}
          {status === 'interrupted' && <span>{texts.statusInterrupted}</span>}
          {stats?.tokensPerSecond !== undefined && (
            <span>{texts.tokensPerSecond(formatRate(stats.tokensPerSecond))}</span>
          )}
        </span>
      </div>
    </>
  )
}
