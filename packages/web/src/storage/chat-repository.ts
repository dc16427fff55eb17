import type { Chat, Draft, Message } from '../chat/types.ts'

/** Keeps chats between visits. Every method may reject; the page then continues with its state in memory. */
export interface ChatRepository {
  /** False if nothing outlives the page (the browser refuses storage). */
  readonly persistent: boolean
  loadChats(): Promise<readonly Chat[]>
  loadMessages(chatId: string): Promise<readonly Message[]>
  loadMessage(id: string): Promise<Message | undefined>
  /** Loads the answers of all chats that were unfinished when they were last saved. */
  loadStreaming(): Promise<readonly Message[]>
  putChats(chats: readonly Chat[]): Promise<void>
  putMessages(messages: readonly Message[]): Promise<void>
  /** Removes a chat with its messages and its drafts. */
  removeChat(chatId: string): Promise<void>
  /** Removes every chat with its messages and its drafts, but not the draft of the next new chat. */
  removeAllChats(): Promise<void>
  removeMessages(ids: readonly string[]): Promise<void>
  loadDrafts(): Promise<readonly Draft[]>
  putDraft(draft: Draft): Promise<void>
  removeDraft(id: string): Promise<void>
  /** Yields all messages in batches, so that a search over thousands of chats stays responsive. */
  scanMessages(): AsyncIterable<readonly Message[]>
  /** For a page that is being closed: leaves the writes that have not ended for another tab or the next visit. */
  leaveUnfinished(): void
}
