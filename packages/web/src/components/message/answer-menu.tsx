import type { Message } from '../../chat/types.ts'
import { useTexts } from '../../i18n/texts.ts'
import { useCompareActions } from '../compare/use-compare-actions.ts'
import { copyText } from '../../ui/copy-text.ts'
import { Menu, MenuItem } from '../../ui/menu.tsx'
import { useServices } from '../../app/services.ts'
import { useStore } from '../../store.ts'
import { useDeleteMessage } from './use-delete-message.ts'

interface AnswerMenuProps {
  readonly message: Message
  readonly answer: string
  readonly onDetails: () => void
}

/** The menu with the less common actions of an answer. */
export function AnswerMenu({ message, answer, onDetails }: AnswerMenuProps) {
  const { chats, notices } = useServices()
  const texts = useTexts()
  const { compareAnswer } = useCompareActions()
  const canCompare = useStore(chats, (state) => state.chats.get(message.chatId)?.compared === undefined)
  const remove = useDeleteMessage(message)
  const copy = async (text: string): Promise<void> =>
    notices.show({ text: (await copyText(text)) ? 'copied' : 'copyFailed' })
  const copyPlain = async (): Promise<void> => {
    try {
      const { plainText } = await import('../../markdown/plain-text.ts')
      await copy(plainText(answer))
    } catch {
      // The parser is not loaded, and there is no server to load it from.
      notices.show({ text: 'copyFailed' })
    }
  }
  return (
    <Menu label={texts.moreActions}>
      {answer && (
        <>
          <MenuItem icon="copy" onSelect={() => void copy(answer)}>
            {texts.copyMarkdown}
          </MenuItem>
          <MenuItem icon="copy" onSelect={() => void copyPlain()}>
            {texts.copyPlain}
          </MenuItem>
        </>
      )}
      {canCompare && (
        <MenuItem icon="compare" onSelect={() => void compareAnswer(message)}>
          {texts.compareAnswer}
        </MenuItem>
      )}
      <MenuItem icon="info" onSelect={onDetails}>
        {texts.details}
      </MenuItem>
      <MenuItem icon="trash" kind="danger" onSelect={remove}>
        {texts.deleteMessage}
      </MenuItem>
    </Menu>
  )
}
