import type { ApiErrorKind } from '../../api/errors.ts'
import { useServices } from '../../app/services.ts'
import type { Message } from '../../chat/types.ts'
import { useTexts } from '../../i18n/texts.ts'
import { Button } from '../button.tsx'
import { Icon } from '../icon.tsx'

const textKeys = {
  network: 'errorNetwork',
  capacity: 'errorCapacity',
  'context-length': 'errorContextLength',
  unavailable: 'errorUnavailable',
  refused: 'errorRefused',
  server: 'errorServer',
} as const satisfies Record<ApiErrorKind, string>

/** Why there is no answer, in words, and the way to try again. */
export function AnswerError({ message }: { readonly message: Message }) {
  const { conversation } = useServices()
  const texts = useTexts()
  const { error, chatId, id } = message
  if (!error) return null
  return (
    <div className="answer-error" role="alert">
      <Icon name="warning" />
      <div className="answer-error-words">
        <p>{texts[textKeys[error.kind]]}</p>
        {error.message && <p className="answer-error-detail">{error.message}</p>}
        {error.requestId && <p className="answer-error-detail">{texts.errorReference(error.requestId)}</p>}
      </div>
      <Button icon="retry" onClick={() => conversation.retry(chatId, id)}>
        {texts.retry}
      </Button>
    </div>
  )
}
