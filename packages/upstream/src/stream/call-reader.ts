import { newToolCallId, type RemotePart } from '@petals-chat/engine'
import type { CallDelta } from './chunks.ts'

/**
 * Reads the pieces of calls. Servers differ: some send a call at once, some its name first; some leave out its id, its
 * index, or both.
 */
export class CallReader {
  /** The index here of each call, by its index at the server. */
  readonly #places = new Map<number, number>()
  #last: number | undefined
  #lastId: string | undefined

  get hasCalls(): boolean {
    return this.#places.size > 0
  }

  read({ index, id, function: called }: CallDelta): readonly RemotePart[] {
    const isNew = id != null && id !== '' && id !== this.#lastId
    const key = index ?? (isNew || this.#last === undefined ? this.#places.size : this.#last)
    this.#last = key
    const text = called?.arguments ?? ''
    const known = this.#places.get(key)
    if (known !== undefined) return argumentsOf(known, text)
    const name = called?.name ?? ''
    if (name === '') return []
    const place = this.#places.size
    this.#places.set(key, place)
    this.#lastId = id ?? undefined
    return [{ type: 'tool-call', index: place, id: id || newToolCallId(), name }, ...argumentsOf(place, text)]
  }
}

const argumentsOf = (index: number, text: string): readonly RemotePart[] =>
  text === '' ? [] : [{ type: 'tool-arguments', index, text }]
