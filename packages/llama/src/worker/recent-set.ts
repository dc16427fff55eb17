import { createHash } from 'node:crypto'

/** Remembers the texts that were added last, by their hash: they may be long. */
export class RecentSet {
  readonly #limit: number
  readonly #hashes = new Set<string>()

  constructor(limit: number) {
    this.#limit = limit
  }

  add(text: string): void {
    this.#hashes.add(hash(text))
    if (this.#hashes.size > this.#limit) this.#hashes.delete(this.#hashes.values().next().value!)
  }

  has(text: string): boolean {
    return this.#hashes.size > 0 && this.#hashes.has(hash(text))
  }
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex')
