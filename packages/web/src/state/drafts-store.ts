import { chatIdOf } from '../chat/draft-ids.ts'
import type { Draft } from '../chat/types.ts'
import type { ChatRepository } from '../storage/chat-repository.ts'
import { createStore, type Store } from '../store.ts'

export type DraftChanges = Partial<Omit<Draft, 'id'>>

/** The message between tabs about a draft. An empty draft was sent or deleted. */
export interface DraftChange {
  readonly type: 'draft'
  readonly draft: Draft
}

type DraftRepository = Pick<ChatRepository, 'loadDrafts' | 'putDraft' | 'removeDraft'>

export interface DraftsOptions {
  readonly repository: DraftRepository
  /** Sends a change to the other tabs. */
  readonly publish?: (change: DraftChange) => void
  /** Called when a write failed: the page shows a state that is not saved. */
  readonly onStorageError?: (cause: unknown) => void
}

/** The unsent input, chat by chat. Every keystroke is saved, with one write at a time. */
export class DraftsStore implements Store<ReadonlyMap<string, Draft>> {
  readonly #store = createStore<ReadonlyMap<string, Draft>>(new Map())
  readonly #repository: DraftRepository
  readonly #publish: (change: DraftChange) => void
  readonly #onStorageError: (cause: unknown) => void
  /** Drafts that changed since they were last written. */
  readonly #unsaved = new Set<string>()
  #saving: Promise<void> | undefined

  constructor({ repository, publish, onStorageError }: DraftsOptions) {
    this.#repository = repository
    this.#publish = publish ?? (() => {})
    this.#onStorageError = onStorageError ?? (() => {})
  }

  readonly get = (): ReadonlyMap<string, Draft> => this.#store.get()
  readonly subscribe = (listener: () => void): (() => void) => this.#store.subscribe(listener)

  async load(): Promise<void> {
    const stored = await this.#repository.loadDrafts().catch((cause: unknown) => {
      this.#onStorageError(cause)
      return []
    })
    this.#store.update((drafts) => new Map([...stored.map((draft) => [draft.id, draft] as const), ...drafts]))
  }

  draft(id: string): Draft {
    return this.get().get(id) ?? { id, text: '', attachments: [] }
  }

  change(id: string, changes: DraftChanges): void {
    this.#put({ ...this.draft(id), ...changes })
  }

  clear(id: string): void {
    this.#put({ id, text: '', attachments: [] })
  }

  /** Saves the drafts of restored chats again, which were deleted with their chats. */
  saveRestored(chatIds: ReadonlySet<string>): void {
    for (const draft of this.get().values()) if (chatIds.has(chatIdOf(draft))) this.#put(draft)
  }

  /** Takes a draft that another tab has saved. If both tabs write, each keeps its own until it is saved. */
  receive({ draft }: DraftChange): void {
    if (!this.#unsaved.has(draft.id)) this.#set(draft)
  }

  #put(draft: Draft): void {
    this.#set(draft)
    this.#unsaved.add(draft.id)
    this.#saving ??= this.#save().finally(() => (this.#saving = undefined))
  }

  #set(draft: Draft): void {
    this.#store.update((drafts) => {
      const copy = new Map(drafts)
      if (isEmpty(draft)) copy.delete(draft.id)
      else copy.set(draft.id, draft)
      return copy
    })
  }

  /** Begins to save all drafts that have changed, for a page that is being closed. */
  saveAll(): void {
    for (const id of this.#unsaved) void this.#write(id)
  }

  async #save(): Promise<void> {
    // After the current keystroke.
    await Promise.resolve()
    for (let id = first(this.#unsaved); id !== undefined; id = first(this.#unsaved)) await this.#write(id)
  }

  async #write(id: string): Promise<void> {
    this.#unsaved.delete(id)
    const draft = this.get().get(id)
    const writing = draft ? this.#repository.putDraft(draft) : this.#repository.removeDraft(id)
    await writing.catch(this.#onStorageError)
    this.#publish({ type: 'draft', draft: draft ?? this.draft(id) })
  }
}

function first(ids: ReadonlySet<string>): string | undefined {
  const [id] = ids
  return id
}

function isEmpty({ text, attachments, settings, tools, open, form }: Draft): boolean {
  return text === '' && attachments.length === 0 && !settings && !tools && !open && !form
}
