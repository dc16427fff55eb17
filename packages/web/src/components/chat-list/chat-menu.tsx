import { useServices } from '../../app/services.ts'
import { saveChatAsJson, saveChatAsMarkdown } from '../../app/transfer.ts'
import type { Chat } from '../../chat/types.ts'
import type { Texts } from '../../i18n/en.ts'
import { useTexts } from '../../i18n/texts.ts'
import { chatElementId } from '../element-ids.ts'
import { focusSoon } from '../../ui/reveal.ts'
import { Menu, MenuItem } from '../../ui/menu.tsx'

interface ChatMenuProps {
  readonly chat: Chat
  readonly title: string
  readonly isTabStop: boolean
  readonly onRename: () => void
}

export function ChatMenu({ chat, title, isTabStop, onRename }: ChatMenuProps) {
  const services = useServices()
  const texts = useTexts()
  const remove = useDeleteChat(chat.id)
  return (
    <Menu label={texts.chatActions(title)} tabIndex={isTabStop ? 0 : -1}>
      <MenuItem icon="pencil" onSelect={onRename}>
        {texts.rename}
      </MenuItem>
      <MenuItem icon="pin" onSelect={() => services.chats.updateChat(chat.id, { pinned: !chat.pinned })}>
        {chat.pinned ? texts.unpin : texts.pin}
      </MenuItem>
      <MenuItem icon="download" onSelect={() => void saveChatAsMarkdown(services, chat.id, texts)}>
        {texts.saveAsMarkdown}
      </MenuItem>
      <MenuItem icon="download" onSelect={() => void saveChatAsJson(services, chat.id)}>
        {texts.saveAsJson}
      </MenuItem>
      <MenuItem icon="trash" kind="danger" onSelect={() => void remove()}>
        {texts.deleteChat}
      </MenuItem>
    </Menu>
  )
}

/** Deletes a chat and offers to undo that. */
function useDeleteChat(chatId: string): () => Promise<void> {
  const { chats, conversation, drafts, notices, router } = useServices()
  return async () => {
    const title = chats.chat(chatId)?.title
    // Checked before the deletion, since the page leaves a deleted chat automatically.
    const route = router.get()
    const wasShown = route.page === 'chat' && route.chatId === chatId
    const restore = await conversation.deleteChat(chatId)
    if (wasShown) router.go({ page: 'new' }, { replace: true })
    const run = (): void => {
      restore()
      drafts.saveRestored(new Set([chatId]))
      if (wasShown) router.go({ page: 'chat', chatId })
      focusSoon(chatElementId(chatId))
    }
    const text = (texts: Texts): string => texts.chatDeleted(title || texts.untitledChat)
    notices.show({ text, action: { label: 'undo', run } })
  }
}
