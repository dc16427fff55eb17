import type { Chat, Draft, Message } from '../chat/types.ts'

/** Where chats are kept between visits. Every method may fail; the page goes on with what it has in memory. */
export interface ChatRepository {
  /** False where nothing outlives the page (storage refused by the browser). */
  readonly persistent: boolean
  loadChats(): Promise<readonly Chat[]>
  loadMessages(chatId: string): Promise<readonly Message[]>
  loadMessage(id: string): Promise<Message | undefined>
  /** Answers of all chats that were being written when they were last saved. */
  loadStreaming(): Promise<readonly Message[]>
  putChats(chats: readonly Chat[]): Promise<void>
  putMessages(messages: readonly Message[]): Promise<void>
  /** A chat, its messages and its drafts. */
  removeChat(chatId: string): Promise<void>
  /** Every chat with its messages and its drafts; not those of the next new chat. */
  removeAllChats(): Promise<void>
  removeMessages(ids: readonly string[]): Promise<void>
  loadDrafts(): Promise<readonly Draft[]>
  putDraft(draft: Draft): Promise<void>
  removeDraft(id: string): Promise<void>
  /** Walks through all messages in batches, so that a search over thousands of chats stays responsive. */
  scanMessages(): AsyncIterable<readonly Message[]>
}
