import type { PeerId } from '../p2p/peer-id.ts'

type Storer = PeerId | undefined

interface Expiring {
  readonly storer: Storer
  /** Unix seconds. */
  readonly expirationTime: number
}

/**
 * The records of one key by their slots, with what would take a look at each of them: the next expiration, and how many each peer
 * has stored. A request can store some ten thousand records.
 */
export class KeyRecords<T extends Expiring> {
  readonly #records = new Map<string, T>()
  readonly #counts = new Map<Storer, number>()
  /** No record expires before this, Unix seconds. */
  #earliest = Infinity

  get size(): number {
    return this.#records.size
  }

  get(slot: string): T | undefined {
    return this.#records.get(slot)
  }

  values(): IterableIterator<T> {
    return this.#records.values()
  }

  set(slot: string, record: T): void {
    this.delete(slot)
    this.#records.set(slot, record)
    this.#count(record.storer, 1)
    this.#earliest = Math.min(this.#earliest, record.expirationTime)
  }

  delete(slot: string): void {
    const record = this.#records.get(slot)
    if (!record) return
    this.#records.delete(slot)
    this.#count(record.storer, -1)
  }

  /** Returns the records that have expired. */
  expired(now: number): readonly T[] {
    if (this.#earliest >= now) return []
    const expired: T[] = []
    this.#earliest = Infinity
    for (const record of this.#records.values())
      if (record.expirationTime < now) expired.push(record)
      else this.#earliest = Math.min(this.#earliest, record.expirationTime)
    return expired
  }

  countOf(storer: Storer): number {
    return this.#counts.get(storer) ?? 0
  }

  /** Returns the peer that has stored the most of the records. */
  heaviest(): Storer {
    let [heaviest, most]: [Storer, number] = [undefined, 0]
    for (const [storer, count] of this.#counts) if (count > most) [heaviest, most] = [storer, count]
    return heaviest
  }

  #count(storer: Storer, change: number): void {
    const count = this.countOf(storer) + change
    if (count > 0) this.#counts.set(storer, count)
    else this.#counts.delete(storer)
  }
}
