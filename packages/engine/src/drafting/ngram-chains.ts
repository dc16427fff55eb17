const smallestTable = 2 ** 10
const largestTable = 2 ** 18

/** Finds earlier places of runs of `order` tokens, the newest first. Different runs may share a chain: compare what it gives. */
export class NgramChains {
  readonly order: number
  /** By hash: the newest place + 1; 0 for none. */
  readonly #heads: Int32Array
  /** By place: the place before it in its chain + 1. */
  #previous: Int32Array

  /** @param length - about how many tokens there will be */
  constructor(order: number, length: number) {
    this.order = order
    const size = 2 ** Math.ceil(Math.log2(Math.max(1, length * 2)))
    this.#heads = new Int32Array(Math.min(largestTable, Math.max(smallestTable, size)))
    this.#previous = new Int32Array(Math.max(1024, length * 2))
  }

  /** Adds the run of tokens that ends at `place`, the newest one. */
  add(tokens: Int32Array, place: number): void {
    if (place + 1 < this.order) return
    if (place >= this.#previous.length) {
      const grown = new Int32Array(this.#previous.length * 2)
      grown.set(this.#previous)
      this.#previous = grown
    }
    const slot = this.#slotOf(tokens, place)
    this.#previous[place] = this.#heads[slot]!
    this.#heads[slot] = place + 1
  }

  /** Returns the place before this one in its chain. */
  before(place: number): number | undefined {
    const found = this.#previous[place] ?? 0
    return found === 0 ? undefined : found - 1
  }

  #slotOf(tokens: Int32Array, place: number): number {
    let hash = 0
    for (let i = place - this.order + 1; i <= place; i++) {
      hash = Math.imul(hash ^ tokens[i]!, 0x9e3779b1)
      hash ^= hash >>> 15
    }
    return (hash >>> 0) & (this.#heads.length - 1)
  }
}
