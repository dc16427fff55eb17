import type { Draft } from '../chat/types.ts'
import type { ChatRepository } from '../storage/chat-repository.ts'
import { createStore, type Store } from './store.ts'

export type DraftChanges = Partial<Omit<Draft, 'id'>>

type DraftRepository = Pick<ChatRepository, 'loadDrafts' | 'putDraft' | 'removeDraft'>

/** What is written and not sent yet, chat by chat. Every keystroke is kept, with one write at a time. */
export class DraftsStore implements Store<ReadonlyMap<string, Draft>> {
  readonly #store = createStore<ReadonlyMap<string, Draft>>(new Map())
  readonly #repository: DraftRepository
  readonly #onStorageError: (cause: unknown) => void
  /** Drafts that changed since they were last written. */
  readonly #unsaved = new Set<string>()
  #saving: Promise<void> | undefined

  constructor(repository: DraftRepository, onStorageError: (cause: unknown) => void = () => {}) {
    this.#repository = repository
    this.#onStorageError = onStorageError
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
    const draft = { ...this.draft(id), ...changes }
    this.#store.update((drafts) => {
      const copy = new Map(drafts)
      if (isEmpty(draft)) copy.delete(id)
      else copy.set(id, draft)
      return copy
    })
    this.#unsaved.add(id)
    this.#saving ??= this.#save().finally(() => (this.#saving = undefined))
  }

  clear(id: string): void {
    this.change(id, { text: '', attachments: [], settings: undefined })
  }

  async #save(): Promise<void> {
    // Later than the present keystroke.
    await Promise.resolve()
    for (let id = first(this.#unsaved); id !== undefined; id = first(this.#unsaved)) {
      this.#unsaved.delete(id)
      const draft = this.get().get(id)
      const writing = draft ? this.#repository.putDraft(draft) : this.#repository.removeDraft(id)
      await writing.catch(this.#onStorageError)
    }
  }
}

function first(ids: ReadonlySet<string>): string | undefined {
  const [id] = ids
  return id
}

function isEmpty({ text, attachments, settings }: Draft): boolean {
  return text === '' && attachments.length === 0 && settings === undefined
}
