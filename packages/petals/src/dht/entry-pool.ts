import type { MsgpackValue } from '../wire/msgpack-values.ts'

/** What a node said about one subkey of a key. Entries that say the same about other keys are the same object. */
export interface PooledEntry {
  readonly subkey: string
  readonly value: Uint8Array
  /** Unix seconds of the swarm's clock. */
  readonly expirationTime: number
  /** The value, once it was decoded; undefined where it can't be. */
  decoded?: { readonly value: MsgpackValue | undefined }
}

/** An announcement of a server has some hundred bytes, and a few thousand with round trips to many others. */
const maxValueBytes = 32 * 1024
/** Larger values than this may take `maxLargeBytes` together. */
const smallBytes = 2048
const maxLargeBytes = 4 * 1024 * 1024
/** Subkeys of which something is known: with small values, 32 MiB. */
const maxSubkeys = 16_384
/** Subkeys that are read, which is more than any model has servers. Values take much more memory when they are decoded. */
const maxRead = 2048

/**
 * Keeps the entries of one lookup, which may ask hostile nodes for the records of a hundred blocks. A server announces the
 * same for each of its blocks, so that is kept once. Values are copied: parts of an answer would keep all of it in memory.
 */
export class EntryPool {
  readonly #isKnown: (subkey: string) => boolean
  readonly #latest = new Map<string, PooledEntry>()
  readonly #salt = Math.floor(Math.random() * 2 ** 32)
  #largeBytes = 0

  /** @param isKnown whether a subkey is a peer that has answered this client */
  constructor(isKnown: (subkey: string) => boolean) {
    this.#isKnown = isKnown
  }

  /** Returns the entry to keep; undefined for one that is too large, or one too many. */
  share(subkey: string, value: Uint8Array, expirationTime: number): PooledEntry | undefined {
    const known = this.#latest.get(subkey)
    if (known?.expirationTime === expirationTime && Buffer.compare(known.value, value) === 0) return known
    if (!known && this.#latest.size >= maxSubkeys) return undefined
    if (!this.#hasRoom(value.byteLength)) return undefined
    const entry: PooledEntry = { subkey: known?.subkey ?? subkey, value: Buffer.from(value), expirationTime }
    this.#latest.set(entry.subkey, entry)
    return entry
  }

  /**
   * Returns which subkeys to read. Of a flooded record these are the peers that have answered this client, and of the others
   * a random choice, the same for all keys.
   */
  selection(): (subkey: string) => boolean {
    if (this.#latest.size <= maxRead) return () => true
    const ranks = [...this.#latest.keys()].map((subkey) => this.#rank(subkey)).sort((a, b) => a - b)
    const highest = ranks[maxRead - 1]!
    return (subkey) => this.#rank(subkey) <= highest
  }

  #hasRoom(byteLength: number): boolean {
    if (byteLength <= smallBytes) return true
    if (byteLength > maxValueBytes || this.#largeBytes + byteLength > maxLargeBytes) return false
    this.#largeBytes += byteLength
    return true
  }

  /** 0 for peers that have answered; for others up to 1, by chance that nodes can't foresee (FNV-1a with a salt). */
  #rank(subkey: string): number {
    if (this.#isKnown(subkey)) return 0
    let hash = this.#salt
    for (let i = 0; i < subkey.length; i++) hash = Math.imul(hash ^ subkey.charCodeAt(i), 0x01000193)
    return ((hash ^ (hash >>> 15)) >>> 0) / 2 ** 32
  }
}
