import { createContext, useContext } from 'react'
import { useStore } from '../store.ts'
import { useServices } from './services.ts'
import { type ChatSettings, NEW_CHAT } from '../chat/types.ts'
import type { ModelInfo } from '../api/models.ts'
import { pickModel } from '../state/models-store.ts'

/** The chat that a part of the page is about, where that isn't the chat of the page's address. */
export const CurrentChatContext = createContext<string | undefined>(undefined)

/** Id of the chat around a component; undefined for the chat that begins with the next message. */
export function useCurrentChatId(): string | undefined {
  const { router } = useServices()
  const ofPage = useStore(router, (route) => (route.page === 'chat' ? route.chatId : undefined))
  return useContext(CurrentChatContext) ?? ofPage
}

/** Ids of the chats in which an answer is being written, in this tab or another. Changes when one begins or ends, not with every word. */
export function useWritingChats(): ReadonlySet<string> {
  const { answers } = useServices()
  const ids = useStore(answers.live, (live) => [...live.values()].map(({ chatId }) => chatId).join(' '))
  return new Set(ids.split(' '))
}

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

export interface CurrentModel {
  /** Undefined until the server has told its models. */
  readonly model: ModelInfo | undefined
  /** The name of the model that a chat was written with, though the server no longer has it. */
  readonly missing: string | undefined
  choose(id: string): void
}

/** The model of the chat around a component, or of the next new chat. */
export function useCurrentModel(): CurrentModel {
  const { models, chats, preferences } = useServices()
  const list = useStore(models, (state) => state.models)
  const chatId = useCurrentChatId()
  const chosen = useStore(chats, (state) => (chatId ? state.chats.get(chatId)?.model : undefined))
  const preferred = useStore(preferences, (state) => state.model)
  const wanted = chosen ?? preferred
  const model = chosen ? list.find(({ id }) => id === chosen) : pickModel(list, wanted)
  return {
    model,
    missing: chosen && list.length > 0 && !model ? chosen : undefined,
    choose(id) {
      if (chatId) chats.updateChat(chatId, { model: id })
      // What is tried out side by side is no choice for the next chat.
      if (!chatId || !chats.chat(chatId)?.compared) preferences.change({ model: id })
    },
  }
}
