import { createId } from '../chat/id.ts'
import type { Chat, Draft, Message } from '../chat/types.ts'

/** A write of chats, messages or a draft. Deletions are not among them: the reader sees at once that one was lost. */
export type Write =
  | { readonly chats: readonly Chat[] }
  | { readonly messages: readonly Message[] }
  | { readonly draft: Draft }
  | { readonly sentDraft: string }

export interface JournalStorage extends Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key'> {
  readonly length: number
}

const PREFIX = 'petals-chat.unfinished-writes.'

/**
 * The writes that IndexedDB has not confirmed. A browser that closes or reloads a page aborts them, so they are left in
 * `localStorage`, which is written synchronously; another tab or the next visit repeats them.
 */
export class WriteJournal {
  readonly #storage: JournalStorage | undefined
  readonly #key = PREFIX + createId()
  readonly #unfinished = new Set<Write>()

  /** `storage`: undefined if the browser refuses it; then aborted writes are lost. */
  constructor(storage: JournalStorage | undefined) {
    this.#storage = storage
  }

  /** Runs a write, and remembers it until it has ended. Rejects as the write does. */
  async during(write: Write, run: () => PromiseLike<unknown>): Promise<void> {
    this.#unfinished.add(write)
    try {
      await run()
    } finally {
      this.#unfinished.delete(write)
    }
  }

  /** Leaves the unfinished writes for another tab or the next visit. For a page that is being closed. */
  leave(): void {
    if (this.#unfinished.size === 0) return
    try {
      this.#storage?.setItem(this.#key, JSON.stringify([...this.#unfinished]))
    } catch {
      // Storage is full: the browser may still finish the writes.
    }
  }

  /** For a page that was not closed in the end: its writes go on. */
  stay(): void {
    this.#storage?.removeItem(this.#key)
  }

  /** Returns the writes that pages have left, oldest first in each page, and removes them from the storage. */
  take(): readonly Write[] {
    return this.#leftKeys().flatMap((key) => {
      const text = this.#storage?.getItem(key)
      this.#storage?.removeItem(key)
      return parseWrites(text)
    })
  }

  /** Reports whether a key of `localStorage` belongs to a journal. */
  static owns(key: string | null): boolean {
    return key?.startsWith(PREFIX) ?? false
  }

  #leftKeys(): readonly string[] {
    const storage = this.#storage
    if (!storage) return []
    const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index))
    return keys.filter((key): key is string => WriteJournal.owns(key))
  }
}

function parseWrites(text: string | null | undefined): readonly Write[] {
  try {
    const writes: unknown = JSON.parse(text ?? '[]')
    return Array.isArray(writes) ? (writes as readonly Write[]) : []
  } catch {
    return []
  }
}
