import { useServices } from './services.ts'
import type { ModelInfo } from '../api/models.ts'
import { pickModel } from '../state/models-store.ts'
import { useStore } from '../state/use-store.ts'
import { useCurrentChatId } from './current-chat.ts'

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
