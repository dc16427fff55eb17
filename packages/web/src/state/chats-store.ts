import type { ArchiveContent, ImportCounts } from '../chat/chat-archive.ts'
import { buildTree, emptyTree, withMessage, withoutMessages, type MessageTree } from '../chat/message-tree.ts'
import type { Chat, Message } from '../chat/types.ts'
import type { ChatRepository } from '../storage/chat-repository.ts'
import { createStore, type Store } from '../store.ts'

export interface ChatsState {
  readonly status: 'loading' | 'ready'
  readonly chats: ReadonlyMap<string, Chat>
  /** The message trees of the chats that were opened since the page was loaded. */
  readonly trees: ReadonlyMap<string, MessageTree>
}

/** The messages between tabs about chats: whole objects, so that no tab has to read the database again. */
export type ChatsChange =
  | { readonly type: 'chats'; readonly chats: readonly Chat[] }
  | { readonly type: 'messages'; readonly messages: readonly Message[] }
  | { readonly type: 'messages-removed'; readonly chatId: string; readonly ids: readonly string[] }
  | { readonly type: 'removed'; readonly chatId: string }

export interface ChatsOptions {
  readonly repository: ChatRepository
  /** Sends a change to the other tabs. */
  readonly publish?: (change: ChatsChange) => void
  /** Called when a write failed: the page shows a state that is not saved. */
  readonly onStorageError?: (cause: unknown) => void
}

/** All chats of this browser. A change applies in memory first, then in the repository and in the other tabs. */
export class ChatsStore implements Store<ChatsState> {
  readonly #store = createStore<ChatsState>({ status: 'loading', chats: new Map(), trees: new Map() })
  readonly #repository: ChatRepository
  readonly #publish: (change: ChatsChange) => void
  readonly #onStorageError: (cause: unknown) => void
  readonly #opening = new Map<string, Promise<void>>()

  constructor({ repository, publish, onStorageError }: ChatsOptions) {
    this.#repository = repository
    this.#publish = publish ?? (() => {})
    this.#onStorageError = onStorageError ?? (() => {})
  }

  readonly get = (): ChatsState => this.#store.get()
  readonly subscribe = (listener: () => void): (() => void) => this.#store.subscribe(listener)

  chat(id: string): Chat | undefined {
    return this.get().chats.get(id)
  }

  tree(chatId: string): MessageTree {
    return this.get().trees.get(chatId) ?? emptyTree
  }

  async load(): Promise<void> {
    const stored = await this.#repository.loadChats().catch((cause: unknown) => {
      this.#onStorageError(cause)
      return []
    })
    this.#store.update((state) => ({
      ...state,
      status: 'ready',
      chats: new Map([...stored.map((chat) => [chat.id, chat] as const), ...state.chats]),
    }))
  }

  /** Reads the messages of a chat, once. */
  open(chatId: string): Promise<void> {
    const running = this.#opening.get(chatId)
    if (running) return running
    if (this.get().trees.has(chatId)) return Promise.resolve()
    const opening = this.#read(chatId).finally(() => this.#opening.delete(chatId))
    this.#opening.set(chatId, opening)
    return opening
  }

  async #read(chatId: string): Promise<void> {
    const messages = await this.#repository.loadMessages(chatId).catch((cause: unknown) => {
      this.#onStorageError(cause)
      return []
    })
    // Messages that arrived from another tab meanwhile are newer than those that were read.
    const newer = this.tree(chatId).messages
    this.#setTree(chatId, buildTree([...messages, ...newer.values()]))
  }

  putChat(chat: Chat): void {
    this.#apply({ type: 'chats', chats: [chat] })
    void this.#save(this.#repository.putChats([chat]))
    this.#publish({ type: 'chats', chats: [chat] })
  }

  updateChat(id: string, changes: Partial<Chat>): void {
    const chat = this.chat(id)
    if (chat) this.putChat({ ...chat, ...changes })
  }

  /** Shows messages in this tab that will be saved soon. */
  show(messages: readonly Message[]): void {
    this.#apply({ type: 'messages', messages })
  }

  /** Saves messages. Resolves when they are saved, or when saving failed. */
  putMessages(messages: readonly Message[]): Promise<void> {
    this.#apply({ type: 'messages', messages })
    const saving = this.#save(this.#repository.putMessages(messages))
    this.#publish({ type: 'messages', messages })
    return saving
  }

  /** Saves the present state of an answer, unless it or its chat was deleted meanwhile, here or in another tab. */
  async saveAnswer(message: Message): Promise<void> {
    const tree = this.get().trees.get(message.chatId)
    if (this.chat(message.chatId) && (!tree || tree.messages.has(message.id)))
      await this.putMessages([message])
  }

  /** Removes messages of an open chat. Returns the function that restores them. */
  removeMessages(chatId: string, ids: readonly string[]): () => void {
    const { messages } = this.tree(chatId)
    const removed = ids.flatMap((id) => messages.get(id) ?? [])
    this.#apply({ type: 'messages-removed', chatId, ids })
    void this.#save(this.#repository.removeMessages(ids))
    this.#publish({ type: 'messages-removed', chatId, ids })
    return () => void this.putMessages(removed)
  }

  /** Removes a chat. Returns the function that restores it, which works until the page is closed. */
  async remove(chatId: string): Promise<() => void> {
    await this.open(chatId)
    const chat = this.chat(chatId)
    const messages = [...this.tree(chatId).messages.values()]
    this.#apply({ type: 'removed', chatId })
    void this.#save(this.#repository.removeChat(chatId))
    this.#publish({ type: 'removed', chatId })
    return () => {
      if (!chat) return
      this.putChat(chat)
      this.#setTree(chatId, buildTree(messages))
      void this.putMessages(messages)
    }
  }

  /** Removes all chats. Returns the function that restores them, which works until the page is closed. */
  async removeAll(): Promise<() => void> {
    const chats = [...this.get().chats.values()]
    const messages: Message[] = []
    for await (const batch of this.#repository.scanMessages()) messages.push(...batch)
    this.#store.update((state) => ({ ...state, chats: new Map(), trees: new Map() }))
    await this.#save(this.#repository.removeAllChats())
    for (const { id } of chats) this.#publish({ type: 'removed', chatId: id })
    return () => void this.import({ chats, messages }).catch(this.#onStorageError)
  }

  /** Adds chats from elsewhere; keeps chats that are newer here. @throws what the repository throws. */
  async import({ chats, messages }: ArchiveContent): Promise<ImportCounts> {
    const known = this.get().chats
    const taken = chats.filter(({ id, updatedAt }) => (known.get(id)?.updatedAt ?? -Infinity) < updatedAt)
    const updated = taken.filter(({ id }) => known.has(id)).length
    const ids = new Set(taken.map(({ id }) => id))
    const theirs = messages.filter(({ chatId }) => ids.has(chatId))
    await Promise.all([this.#repository.putChats(taken), this.#repository.putMessages(theirs)])
    for (const change of [
      { type: 'chats', chats: taken },
      { type: 'messages', messages: theirs },
    ] as const) {
      this.#apply(change)
      this.#publish(change)
    }
    return { added: taken.length - updated, updated, unchanged: chats.length - taken.length }
  }

  /** Applies a change that another tab made and saved. */
  receive(change: ChatsChange): void {
    this.#apply(change)
  }

  #apply(change: ChatsChange): void {
    switch (change.type) {
      case 'chats': {
        const chats = new Map(this.get().chats)
        for (const chat of change.chats) chats.set(chat.id, chat)
        this.#store.update((state) => ({ ...state, chats }))
        return
      }
      case 'messages': {
        const trees = new Map(this.get().trees)
        for (const message of change.messages) {
          const tree =
            trees.get(message.chatId) ?? (this.#opening.has(message.chatId) ? emptyTree : undefined)
          if (tree) trees.set(message.chatId, withMessage(tree, message))
        }
        this.#store.update((state) => ({ ...state, trees }))
        return
      }
      case 'messages-removed': {
        const tree = this.get().trees.get(change.chatId)
        if (tree) this.#setTree(change.chatId, withoutMessages(tree, change.ids))
        return
      }
      case 'removed': {
        const { chats, trees, status } = this.get()
        this.#store.set({
          status,
          chats: without(chats, change.chatId),
          trees: without(trees, change.chatId),
        })
        return
      }
    }
    change satisfies never
  }

  #setTree(chatId: string, tree: MessageTree): void {
    this.#store.update((state) => ({ ...state, trees: new Map(state.trees).set(chatId, tree) }))
  }

  /** Adds a new chat, which has no messages to read. */
  create(chat: Chat): void {
    this.#setTree(chat.id, emptyTree)
    this.putChat(chat)
  }

  #save(writing: Promise<void>): Promise<void> {
    return writing.catch(this.#onStorageError)
  }
}

function without<V>(map: ReadonlyMap<string, V>, key: string): ReadonlyMap<string, V> {
  const copy = new Map(map)
  copy.delete(key)
  return copy
}
