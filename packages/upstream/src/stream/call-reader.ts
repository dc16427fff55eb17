import { newToolCallId, type RemotePart } from '@petals-chat/engine'
import type { CallDelta } from './chunks.ts'

/**
 * Reads the pieces of calls. Servers differ: some send a call at once, some its name first; some leave out its id, its
 * index, or both.
 */
export class CallReader {
  /** The index here of the latest call with each index at the server, and its id there. */
  readonly #calls = new Map<number, { readonly place: number; readonly id: string | undefined }>()
  readonly #ids = new Set<string>()
  #count = 0
  #last: number | undefined

  get hasCalls(): boolean {
    return this.#count > 0
  }

  read({ index, id, function: called }: CallDelta): readonly RemotePart[] {
    const key = index ?? this.#keyOf(id)
    this.#last = key
    const text = called?.arguments ?? ''
    const name = called?.name ?? ''
    const known = this.#calls.get(key)
    // Ollama and others give every call the index 0.
    const isAnother = known?.id !== undefined && id != null && id !== '' && id !== known.id && name !== ''
    if (known !== undefined && !isAnother) return argumentsOf(known.place, text)
    if (name === '') return []
    const place = this.#count++
    this.#calls.set(key, { place, id: id || undefined })
    return [{ type: 'tool-call', index: place, id: this.#uniqueId(id), name }, ...argumentsOf(place, text)]
  }

  /** Some servers give several calls the same id; a result belongs to one. */
  #uniqueId(id: string | null | undefined): string {
    const unique = id && !this.#ids.has(id) ? id : newToolCallId()
    this.#ids.add(unique)
    return unique
  }

  /** Without an index, an id that is new begins a call. */
  #keyOf(id: string | null | undefined): number {
    if (this.#last === undefined) return this.#count
    const isNew = id != null && id !== '' && id !== this.#calls.get(this.#last)?.id
    return isNew ? this.#count : this.#last
  }
}

const argumentsOf = (index: number, text: string): readonly RemotePart[] =>
  text === '' ? [] : [{ type: 'tool-arguments', index, text }]
