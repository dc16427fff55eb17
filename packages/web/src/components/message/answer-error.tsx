import type { ApiErrorKind } from '../../api/errors.ts'
import { useServices } from '../../app/services.ts'
import type { Message, MessageError } from '../../chat/types.ts'
import type { Texts } from '../../i18n/en.ts'
import { formatClock } from '../../i18n/format.ts'
import { useTexts } from '../../i18n/texts.ts'
import { useStore } from '../../store.ts'
import { Button } from '../../ui/button.tsx'
import { Icon } from '../../ui/icon.tsx'
import { useSecondsUntil } from '../../ui/use-seconds-until.ts'
import { useMessageEdit } from './use-message-edit.ts'
import { useMustWait } from './use-must-wait.ts'

const textKeys = {
  network: 'errorNetwork',
  capacity: 'errorCapacity',
  'rate-limit': 'errorRateLimit',
  'signed-out': 'errorSignedOut',
  forbidden: 'errorForbidden',
  'context-length': 'errorContextLength',
  unavailable: 'errorUnavailable',
  'too-large': 'errorTooLarge',
  refused: 'errorRefused',
  server: 'errorServer',
} as const satisfies Record<ApiErrorKind, string>

/** Explains why an answer failed, and offers to try again. */
export function AnswerError({ message }: { readonly message: Message }) {
  const { chats, conversation, session } = useServices()
  const texts = useTexts()
  const { error, chatId, id, parentId, content } = message
  const question = useStore(chats, (state) =>
    parentId === null ? undefined : state.trees.get(chatId)?.messages.get(parentId),
  )
  const signedOut = useStore(session, ({ status }) => status === 'signed-out')
  const edit = useMessageEdit(question ?? message)
  const seconds = useSecondsUntil(error?.retryAt)
  const mustWait = useMustWait(error)
  if (!error) return null
  return (
    <div className="answer-error">
      <Icon name="warning" />
      <div className="answer-error-words">
        {/* The countdown outside of it is not read out second by second. */}
        <div role="alert">
          <p>{errorWords(texts, error, content !== '')}</p>
          {/* The server's words on a sign-in are for programs. */}
          {error.message && error.kind !== 'signed-out' && (
            <p className="answer-error-detail">{error.message}</p>
          )}
          {error.requestId && <p className="answer-error-detail">{texts.errorReference(error.requestId)}</p>}
        </div>
        {seconds !== undefined && error.kind === 'rate-limit' && (
          <p className="answer-error-time">{timeWords(texts, seconds, error.retryAt!)}</p>
        )}
      </div>
      {(error.kind === 'context-length' || error.kind === 'too-large') && question && (
        <Button icon="pencil" onClick={edit.begin}>
          {texts.shortenMessage}
        </Button>
      )}
      {!signedOut && (
        <Button icon="retry" disabled={mustWait} onClick={() => conversation.retry(chatId, id)}>
          {texts.retry}
        </Button>
      )}
    </div>
  )
}

function errorWords(texts: Texts, { kind }: MessageError, hasText: boolean): string {
  if (kind === 'signed-out' && hasText) return texts.errorSignedOutHalfway
  return texts[textKeys[kind]]
}

const HOUR_SECONDS = 3600

/** Says when the reader can go on: counts down the last hour, and names the time of day before it. */
function timeWords(texts: Texts, seconds: number, at: number): string {
  if (seconds === 0) return texts.goOnNow
  return seconds < HOUR_SECONDS ? texts.goOnIn(seconds) : texts.goOnAt(formatClock(at))
}
