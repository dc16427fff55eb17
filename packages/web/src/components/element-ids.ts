import type { Side } from '../chat/types.ts'

export function sideLetter(side: Side): string {
  return side.toUpperCase()
}

export function tabId(side: Side): string {
  return `compare-tab-${side}`
}

export function panelId(side: Side): string {
  return `compare-side-${side}`
}

/** Returns the id of the element of a message. */
export function messageElementId(messageId: string): string {
  return `message-${messageId}`
}

/** Returns the id of the link of a chat in the list. */
export function chatElementId(chatId: string): string {
  return `chat-${chatId}`
}
