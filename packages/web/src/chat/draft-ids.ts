import { NEW_CHAT, type Draft } from './types.ts'

/** Returns the draft id for the unsent edit of a message. */
export function editDraftId(messageId: string): string {
  return `edit:${messageId}`
}

/** Returns the draft id for the unsaved settings of a chat. */
export function settingsDraftId(chatId: string = NEW_CHAT): string {
  return `settings:${chatId}`
}

/** Returns the id of the chat that a draft belongs to. */
export function chatIdOf({ id, chatId = id }: Pick<Draft, 'id' | 'chatId'>): string {
  return chatId
}

/** Reports whether a draft belongs to a chat, and is therefore deleted with it. */
export function belongsToChat(draft: Pick<Draft, 'id' | 'chatId'>, ofChat: string): boolean {
  return chatIdOf(draft) === ofChat
}
