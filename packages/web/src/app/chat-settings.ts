import { NEW_CHAT, type ChatSettings } from '../chat/types.ts'
import { useStore } from '../state/use-store.ts'
import { useCurrentChatId } from './current-chat.ts'
import { useServices } from './services.ts'

export interface CurrentSettings {
  readonly settings: ChatSettings
  change(settings: ChatSettings): void
}

const none: ChatSettings = {}

/** The settings of the chat around a component, or of the chat that begins with the next message. */
export function useChatSettings(): CurrentSettings {
  const { chats, drafts } = useServices()
  const chatId = useCurrentChatId()
  const ofChat = useStore(chats, (state) => (chatId ? state.chats.get(chatId)?.settings : undefined))
  const ofDraft = useStore(drafts, (all) => all.get(NEW_CHAT)?.settings)
  return {
    settings: (chatId ? ofChat : ofDraft) ?? none,
    change(settings) {
      const isEmpty = Object.keys(settings).length === 0
      if (chatId) chats.updateChat(chatId, { settings })
      else drafts.change(NEW_CHAT, { settings: isEmpty ? undefined : settings })
    },
  }
}
