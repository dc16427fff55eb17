import { createContext, useContext } from 'react'
import { useStore } from '../store.ts'
import { useServices } from './services.ts'
import { type ChatSettings, NEW_CHAT } from '../chat/types.ts'
import type { ModelInfo } from '../api/models.ts'
import { pickModel } from '../state/models-store.ts'

/** The chat that a part of the page shows, if it is not the chat of the page's address. */
export const CurrentChatContext = createContext<string | undefined>(undefined)

/** Returns the id of the chat around a component; undefined for a new chat, which begins with the next message. */
export function useCurrentChatId(): string | undefined {
  const { router } = useServices()
  const ofPage = useStore(router, (route) => (route.page === 'chat' ? route.chatId : undefined))
  return useContext(CurrentChatContext) ?? ofPage
}

/**
 * Returns the ids of the chats in which this tab or another writes an answer. Changes when an answer begins or ends
 * only.
 */
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

/** Returns the settings of the chat around a component, or of the new chat. */
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

export interface CurrentTools {
  /** Names of the tools that are on. */
  readonly names: readonly string[]
  change(names: readonly string[]): void
}

const noNames: readonly string[] = []

/** Returns the tools of the chat around a component, or of the new chat. */
export function useChatTools(): CurrentTools {
  const { chats, drafts, preferences } = useServices()
  const chatId = useCurrentChatId()
  const ofChat = useStore(chats, (state) => (chatId ? state.chats.get(chatId)?.tools : undefined))
  const ofDraft = useStore(drafts, (all) => all.get(NEW_CHAT)?.tools)
  const preferred = useStore(preferences, (state) => state.tools)
  return {
    names: (chatId ? ofChat : (ofDraft ?? preferred)) ?? noNames,
    change(names) {
      if (chatId) chats.updateChat(chatId, { tools: names })
      else drafts.change(NEW_CHAT, { tools: names })
    },
  }
}

export interface CurrentModel {
  /** Undefined until the server has listed its models. */
  readonly model: ModelInfo | undefined
  /** The id of the chat's model if the server no longer has it. */
  readonly missing: string | undefined
  choose(id: string): void
}

/** Returns the model of the chat around a component, or of the new chat. */
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
      // A model that is tried in a comparison is not a choice for the next chat.
      if (!chatId || !chats.chat(chatId)?.compared) preferences.change({ model: id })
    },
  }
}
