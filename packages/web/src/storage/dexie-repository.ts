import { Dexie, type Table } from 'dexie'
import { belongsToChat } from '../chat/draft-ids.ts'
import { NEW_CHAT, type Chat, type Draft, type Message } from '../chat/types.ts'
import type { ChatRepository } from './chat-repository.ts'

/** Messages per batch of a scan: a batch takes a few milliseconds, so typing in the search field stays smooth. */
const SCAN_BATCH = 500

class ChatDatabase extends Dexie {
  readonly chats!: Table<Chat, string>
  readonly messages!: Table<Message, string>
  readonly drafts!: Table<Draft, string>

  constructor(name: string) {
    super(name)
    this.version(1).stores({ chats: 'id', messages: 'id, chatId' })
    this.version(2).stores({ messages: 'id, chatId, status', drafts: 'id' })
  }
}

/** Chats in the browser's IndexedDB. */
export class DexieRepository implements ChatRepository {
  readonly persistent = true
  readonly #database: ChatDatabase

  private constructor(database: ChatDatabase) {
    this.#database = database
  }

  /** @throws if the browser refuses storage. */
  static async open(name = 'petals-chat'): Promise<DexieRepository> {
    const database = new ChatDatabase(name)
    await database.open()
    return new DexieRepository(database)
  }

  loadChats(): Promise<readonly Chat[]> {
    return this.#database.chats.toArray()
  }

  loadMessages(chatId: string): Promise<readonly Message[]> {
    return this.#database.messages.where('chatId').equals(chatId).toArray()
  }

  loadMessage(id: string): Promise<Message | undefined> {
    return this.#database.messages.get(id)
  }

  loadStreaming(): Promise<readonly Message[]> {
    const status: Message['status'] = 'streaming'
    return this.#database.messages.where('status').equals(status).toArray()
  }

  async putChats(chats: readonly Chat[]): Promise<void> {
    await this.#database.chats.bulkPut(chats)
  }

  async putMessages(messages: readonly Message[]): Promise<void> {
    await this.#database.messages.bulkPut(messages)
  }

  async removeChat(chatId: string): Promise<void> {
    const { chats, messages, drafts } = this.#database
    await this.#database.transaction('rw', chats, messages, drafts, async () => {
      await chats.delete(chatId)
      await drafts.filter((draft) => belongsToChat(draft, chatId)).delete()
      await messages.where('chatId').equals(chatId).delete()
    })
  }

  async removeAllChats(): Promise<void> {
    const { chats, messages, drafts } = this.#database
    await this.#database.transaction('rw', chats, messages, drafts, async () => {
      await Promise.all([
        chats.clear(),
        messages.clear(),
        drafts.filter((draft) => !belongsToChat(draft, NEW_CHAT)).delete(),
      ])
    })
  }

  async removeMessages(ids: readonly string[]): Promise<void> {
    await this.#database.messages.bulkDelete([...ids])
  }

  loadDrafts(): Promise<readonly Draft[]> {
    return this.#database.drafts.toArray()
  }

  async putDraft(draft: Draft): Promise<void> {
    await this.#database.drafts.put(draft)
  }

  async removeDraft(id: string): Promise<void> {
    await this.#database.drafts.delete(id)
  }

  async *scanMessages(): AsyncGenerator<readonly Message[]> {
    let after = ''
    for (;;) {
      const batch = await this.#database.messages.where('id').above(after).limit(SCAN_BATCH).toArray()
      const last = batch.at(-1)
      if (!last) return
      yield batch
      after = last.id
    }
  }

  close(): void {
    this.#database.close()
  }
}
