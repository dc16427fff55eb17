import { useServices } from '../../app/services.ts'
import { saveChatAsJson, saveChatAsMarkdown } from '../../app/transfer.ts'
import type { Chat } from '../../chat/types.ts'
import { useTexts } from '../../i18n/texts.ts'
import { Menu, MenuItem } from '../menu.tsx'

interface ChatMenuProps {
  readonly chat: Chat
  readonly title: string
  readonly onRename: () => void
}

export function ChatMenu({ chat, title, onRename }: ChatMenuProps) {
  const services = useServices()
  const texts = useTexts()
  const remove = useDeleteChat(chat.id)
  return (
    <Menu label={texts.chatActions(title)}>
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

/** Deletes a chat and offers to take that back. */
export function useDeleteChat(chatId: string): () => Promise<void> {
  const { conversation, notices, router } = useServices()
  return async () => {
    // Asked first: the page leaves a chat that is gone by itself.
    const route = router.get()
    const wasShown = route.page === 'chat' && route.chatId === chatId
    const restore = await conversation.deleteChat(chatId)
    if (wasShown) router.go({ page: 'new' }, { replace: true })
    // The button that was pressed is gone.
    document.getElementById('message')?.focus()
    const run = (): void => {
      restore()
      if (wasShown) router.go({ page: 'chat', chatId })
    }
    notices.show({ text: 'chatDeleted', action: { label: 'undo', run } })
  }
}
