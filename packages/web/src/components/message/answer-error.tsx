import type { ApiErrorKind } from '../../api/errors.ts'
import { useServices } from '../../app/services.ts'
import type { Message } from '../../chat/types.ts'
import { useTexts } from '../../i18n/texts.ts'
import { useStore } from '../../store.ts'
import { Button } from '../../ui/button.tsx'
import { Icon } from '../../ui/icon.tsx'
import { useMessageEdit } from './use-message-edit.ts'

const textKeys = {
  network: 'errorNetwork',
  capacity: 'errorCapacity',
  'context-length': 'errorContextLength',
  unavailable: 'errorUnavailable',
  refused: 'errorRefused',
  server: 'errorServer',
} as const satisfies Record<ApiErrorKind, string>

/** Explains why an answer failed, and offers to try again. */
export function AnswerError({ message }: { readonly message: Message }) {
  const { chats, conversation } = useServices()
  const texts = useTexts()
  const { error, chatId, id, parentId } = message
  const question = useStore(chats, (state) =>
    parentId === null ? undefined : state.trees.get(chatId)?.messages.get(parentId),
  )
  const edit = useMessageEdit(question ?? message)
  if (!error) return null
  return (
    <div className="answer-error" role="alert">
      <Icon name="warning" />
      <div className="answer-error-words">
        <p>{texts[textKeys[error.kind]]}</p>
        {error.message && <p className="answer-error-detail">{error.message}</p>}
        {error.requestId && <p className="answer-error-detail">{texts.errorReference(error.requestId)}</p>}
      </div>
      {error.kind === 'context-length' && question && (
        <Button icon="pencil" onClick={edit.begin}>
          {texts.shortenMessage}
        </Button>
      )}
      <Button icon="retry" onClick={() => conversation.retry(chatId, id)}>
        {texts.retry}
      </Button>
    </div>
  )
}
