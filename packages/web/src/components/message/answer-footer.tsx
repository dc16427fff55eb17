import { useState } from 'react'
import { useServices } from '../../app/services.ts'
import type { Message, MessageStatus } from '../../chat/types.ts'
import { formatRate } from '../../i18n/format.ts'
import { useTexts } from '../../i18n/texts.ts'
import { useStore } from '../../store.ts'
import { Button, IconButton } from '../../ui/button.tsx'
import { CopyButton } from '../../ui/copy-button.tsx'
import { AnswerDetails } from './answer-details.tsx'
import { AnswerError } from './answer-error.tsx'
import { AnswerMenu } from './answer-menu.tsx'
import { useMustWait } from './use-must-wait.ts'
import { VersionSwitcher, type Versions } from './version-switcher.tsx'

interface AnswerFooterProps {
  readonly message: Message
  /** The text without thoughts. */
  readonly answer: string
  readonly modelName: string | undefined
  readonly isLast: boolean
  readonly versions: Versions
}

const canGoOn: ReadonlySet<MessageStatus> = new Set(['stopped', 'length', 'interrupted', 'error'])
const statusTexts = {
  stopped: 'statusStopped',
  length: 'statusLength',
  interrupted: 'statusInterrupted',
  streaming: 'statusElsewhere',
} as const

/** The status of an answer, and its actions. */
export function AnswerFooter({ message, answer, modelName, isLast, versions }: AnswerFooterProps) {
  const { conversation, session } = useServices()
  const texts = useTexts()
  const [showsDetails, setShowsDetails] = useState(false)
  const { chatId, id, status, stats, rounds, calls } = message
  const statusText = status === 'done' || status === 'error' ? undefined : texts[statusTexts[status]]
  const signedOut = useStore(session, (state) => state.status === 'signed-out')
  const mustWait = useMustWait(message.error)
  const canContinue =
    !signedOut &&
    isLast &&
    canGoOn.has(status) &&
    (answer !== '' || message.reasoning !== undefined || rounds !== undefined || calls !== undefined)
  return (
    <>
      {status === 'error' && <AnswerError message={message} />}
      <div className="message-actions">
        {/* First: it is there also while the buttons are not. */}
        {statusText && (
          <span className="answer-status" data-status={status}>
            {statusText}
          </span>
        )}
        <VersionSwitcher chatId={chatId} messageId={id} {...versions} />
        {answer && <CopyButton text={answer} label={texts.copy} />}
        <IconButton
          size="small"
          icon="retry"
          label={texts.regenerate}
          onClick={() => conversation.regenerate(chatId, id)}
        />
        <AnswerMenu message={message} answer={answer} onDetails={() => setShowsDetails(true)} />
        {canContinue && (
          <Button
            kind="plain"
            icon="forward"
            disabled={mustWait}
            onClick={() => conversation.continue(chatId, id)}
          >
            {texts.continueAnswer}
          </Button>
        )}
        <span className="answer-facts">
          {stats?.completionTokens !== undefined && <span>{texts.tokenCount(stats.completionTokens)}</span>}
          {stats?.tokensPerSecond !== undefined && (
            <span>{texts.tokensPerSecond(formatRate(stats.tokensPerSecond))}</span>
          )}
        </span>
      </div>
      {showsDetails && (
        <AnswerDetails message={message} modelName={modelName} onClose={() => setShowsDetails(false)} />
      )}
    </>
  )
}
