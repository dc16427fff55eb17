import { NEW_CHAT, type Draft } from './types.ts'

/** Id of what a reader makes of one of the messages, and has not sent. */
export function editDraftId(messageId: string): string {
  return `edit:${messageId}`
}

/** Id of what a reader has changed in the settings of a chat, and has not saved. */
export function settingsDraftId(chatId: string = NEW_CHAT): string {
  return `settings:${chatId}`
}

/** Id of the chat that a draft goes with. */
export function chatOf({ id, chatId = id }: Pick<Draft, 'id' | 'chatId'>): string {
  return chatId
}

/** Whether a draft goes with a chat, and is deleted with it. */
export function isOfChat(draft: Pick<Draft, 'id' | 'chatId'>, ofChat: string): boolean {
  return chatOf(draft) === ofChat
}
