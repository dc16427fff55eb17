import { belongsToChat } from '../chat/draft-ids.ts'
import { NEW_CHAT, type Chat, type Draft, type Message } from '../chat/types.ts'
import type { ChatRepository } from './chat-repository.ts'

/** Keeps chats until the page is closed, for browsers that refuse storage. */
export class MemoryRepository implements ChatRepository {
  readonly persistent = false
  readonly #chats = new Map<string, Chat>()
  readonly #messages = new Map<string, Message>()
  readonly #drafts = new Map<string, Draft>()

  loadChats(): Promise<readonly Chat[]> {
    return Promise.resolve([...this.#chats.values()])
  }

  loadMessages(chatId: string): Promise<readonly Message[]> {
    return Promise.resolve([...this.#messages.values()].filter((message) => message.chatId === chatId))
  }

  loadMessage(id: string): Promise<Message | undefined> {
    return Promise.resolve(this.#messages.get(id))
  }

  loadStreaming(): Promise<readonly Message[]> {
    return Promise.resolve([...this.#messages.values()].filter(({ status }) => status === 'streaming'))
  }

  putChats(chats: readonly Chat[]): Promise<void> {
    for (const chat of chats) this.#chats.set(chat.id, chat)
    return Promise.resolve()
  }

  putMessages(messages: readonly Message[]): Promise<void> {
    for (const message of messages) this.#messages.set(message.id, message)
    return Promise.resolve()
  }

  removeChat(chatId: string): Promise<void> {
    this.#chats.delete(chatId)
    this.#removeDrafts((draft) => belongsToChat(draft, chatId))
    for (const message of [...this.#messages.values()]) {
      if (message.chatId === chatId) this.#messages.delete(message.id)
    }
    return Promise.resolve()
  }

  removeAllChats(): Promise<void> {
    this.#chats.clear()
    this.#messages.clear()
    this.#removeDrafts((draft) => !belongsToChat(draft, NEW_CHAT))
    return Promise.resolve()
  }

  removeMessages(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#messages.delete(id)
    return Promise.resolve()
  }

  loadDrafts(): Promise<readonly Draft[]> {
    return Promise.resolve([...this.#drafts.values()])
  }

  putDraft(draft: Draft): Promise<void> {
    this.#drafts.set(draft.id, draft)
    return Promise.resolve()
  }

  removeDraft(id: string): Promise<void> {
    this.#drafts.delete(id)
    return Promise.resolve()
  }

  #removeDrafts(matches: (draft: Draft) => boolean): void {
    for (const draft of [...this.#drafts.values()]) if (matches(draft)) this.#drafts.delete(draft.id)
  }

  async *scanMessages(): AsyncGenerator<readonly Message[]> {
    yield await Promise.resolve([...this.#messages.values()])
  }

  leaveUnfinished(): void {}
}
