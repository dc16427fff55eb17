import { Dexie, type Table } from 'dexie'
import { belongsToChat } from '../chat/draft-ids.ts'
import { NEW_CHAT, type Chat, type Draft, type Message } from '../chat/types.ts'
import type { ChatRepository } from './chat-repository.ts'
import { type Write, WriteJournal } from './write-journal.ts'

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
  readonly #journal: WriteJournal

  private constructor(database: ChatDatabase, journal: WriteJournal) {
    this.#database = database
    this.#journal = journal
  }

  /** Opens the database and repeats the writes that closed pages have left. @throws if the browser refuses storage. */
  static async open(name = 'petals-chat', journal = new WriteJournal(undefined)): Promise<DexieRepository> {
    const database = new ChatDatabase(name)
    await database.open()
    const repository = new DexieRepository(database, journal)
    await repository.repeatLeftWrites()
    return repository
  }

  /** Repeats the writes that closed pages have left. Never rejects: without them the chats still open. */
  async repeatLeftWrites(): Promise<void> {
    for (const write of this.#journal.take()) await this.#repeat(write).catch(() => {})
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
    await this.#journal.during({ chats }, () => this.#database.chats.bulkPut(chats))
  }

  async putMessages(messages: readonly Message[]): Promise<void> {
    await this.#journal.during({ messages }, () => this.#database.messages.bulkPut(messages))
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
    await this.#journal.during({ draft }, () => this.#database.drafts.put(draft))
  }

  async removeDraft(id: string): Promise<void> {
    await this.#journal.during({ sentDraft: id }, () => this.#database.drafts.delete(id))
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

  leaveUnfinished(): void {
    this.#journal.leave()
  }

  close(): void {
    this.#database.close()
  }

  /** Another tab may have written since: its newer chats and answers stay. */
  async #repeat(write: Write): Promise<void> {
    const { chats, messages } = this.#database
    if ('draft' in write) return this.putDraft(write.draft)
    if ('sentDraft' in write) return this.removeDraft(write.sentDraft)
    if ('chats' in write) {
      const stored = await chats.bulkGet(write.chats.map(({ id }) => id))
      return this.putChats(write.chats.filter(({ updatedAt }, i) => updatedAt >= (stored[i]?.updatedAt ?? 0)))
    }
    const stored = await messages.bulkGet(write.messages.map(({ id }) => id))
    return this.putMessages(write.messages.filter((message, i) => isNewer(message, stored[i])))
  }
}

function isNewer({ savedAt = 0 }: Message, stored: Message | undefined): boolean {
  return stored === undefined || savedAt > (stored.savedAt ?? 0)
}
