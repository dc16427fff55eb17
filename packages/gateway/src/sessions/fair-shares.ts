/** Clients whose use is remembered. Beyond this number those that have nothing in use are forgotten, the least served first. */
const MAX_REMEMBERED = 1_000

interface Share {
  /** Permits that the client holds. */
  held: number
  /** Milliseconds of permits that the client was given, on the common clock. */
  served: number
}

/**
 * Decides whose turn it is: that of the client with the fewest permits; among equals, of the one that was served the
 * least. A client that comes back after a while begins at the clock of the others, so that it can't save up a share
 * (start-time fair queueing, Goyal et al. 1996).
 */
export class FairShares {
  readonly #shares = new Map<string, Share>()
  /** What the client that was last given a permit had been served by then. */
  #clock = 0

  /** Clients that are remembered. */
  get size(): number {
    return this.#shares.size
  }

  /** Negative if `left` has the better claim to the next permit, positive if `right` has; 0 if theirs are equal. */
  compare(left: string, right: string): number {
    const [one, other] = [this.#shareOf(left), this.#shareOf(right)]
    return one.held - other.held || one.served - other.served
  }

  take(client: string): void {
    const { held, served } = this.#shareOf(client)
    this.#clock = Math.max(this.#clock, served)
    this.#shares.set(client, { held: held + 1, served })
  }

  /** Takes back a permit that the client held for `heldMs`. */
  giveBack(client: string, heldMs: number): void {
    const { held, served } = this.#shareOf(client)
    this.#shares.set(client, { held: held - 1, served: served + heldMs })
    if (this.#shares.size > MAX_REMEMBERED) this.#forget()
  }

  /** Counts time as served that the client took from others without a permit. */
  charge(client: string, ms: number): void {
    const { held, served } = this.#shareOf(client)
    this.#shares.set(client, { held, served: served + ms })
  }

  #shareOf(client: string): Share {
    const { held, served } = this.#shares.get(client) ?? { held: 0, served: 0 }
    return { held, served: Math.max(served, this.#clock) }
  }

  #forget(): void {
    const unused = [...this.#shares].filter(([, { held }]) => held === 0)
    unused.sort(([, left], [, right]) => left.served - right.served)
    for (const [client] of unused.slice(0, Math.ceil(MAX_REMEMBERED / 2))) this.#shares.delete(client)
  }
}
