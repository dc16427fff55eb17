import type { Favourites } from './favourites.ts'
import type { ServerLoads } from './server-loads.ts'
import type { SpanIndex } from './span-index.ts'

/**
 * Steps that wait on a server for each token that its KV cache holds, before anything is known: half of the sessions wait for
 * their users, and one that decodes is on one server of several for a part of its time.
 */
const usualStepsPerToken = 1 / 2000
/** The weight of that, in tokens squared: as of this many measured servers which hold this many tokens. */
const usualWeight = 30 * 400 ** 2

/** A server of unknown speed is not faster than the fastest of this many that were measured, whatever it claims. */
const enough = 8

/** Favourites count half as much as they do at most where so many steps wait on a server. */
const halfBusy = 0.3

/** A server is at most this many times as fast as it announces. */
const understatement = 2

/**
 * What one token takes on each server, waiting for other sessions included. The load of servers on which this client has no
 * sessions follows from the free KV cache that they announce; how much a full cache slows a server is learnt from those that
 * it has measured. Without that, every client would go to the same fastest servers. Among servers of which it knows no more
 * than that, each client has its favourites, the more so the more steps wait on those that it has measured.
 */
export class ExpectedTimes {
  readonly #loads: ServerLoads
  readonly #favourites: Favourites
  #stepsPerToken = usualStepsPerToken
  /** Mean number of steps that wait on the servers that were measured. */
  #waiting = 0

  constructor(loads: ServerLoads, favourites: Favourites) {
    this.#loads = loads
    this.#favourites = favourites
  }

  /** Returns seconds for one block of one token, by slot. */
  secondsPerBlock(index: SpanIndex): Float64Array {
    const { occupiedTokens: occupied, claimedSecondsPerBlock: claimed } = index
    this.#learn(index)
    const steps = occupied.map((tokens) => tokens * this.#stepsPerToken)
    const { fastest, measured } = this.#loads
    const least = fastest * Math.min(1, measured / enough)
    const alone = claimed.map((seconds) => Math.max(seconds, least))
    const busy = this.#waiting / (this.#waiting + halfBusy)
    const factors = this.#favourites.factors(index).map((factor) => 1 + busy * (factor - 1))
    this.#loads.forEach((peer, load) =>
      index.forSlotsOf(peer, (slot) => {
        alone[slot] = this.#alone(load.best, claimed[slot]!, occupied[slot]!)
        steps[slot] =
          load.trust * Math.max(0, load.recent / alone[slot]! - 1) + (1 - load.trust) * steps[slot]!
        factors[slot] = load.trust + (1 - load.trust) * factors[slot]!
      }),
    )
    this.#loads.forEachChange((peer, change) =>
      index.forSlotsOf(peer, (slot) => (steps[slot] = Math.max(0, steps[slot]! + change))),
    )
    for (let slot = 0; slot < alone.length; slot++) alone[slot]! *= (1 + steps[slot]!) * factors[slot]!
    return alone
  }

  /**
   * Returns the time of a server without other sessions. The best measured time may include waiting; then the announced speed
   * counts, as far as the load explains the difference. A server that was busy when it measured its speed is faster than it
   * says, but not many times as fast.
   */
  #alone(best: number, claimed: number, occupied: number): number {
    const measured = Math.min(best, Math.max(claimed, best / (1 + occupied * this.#stepsPerToken)))
    return Math.max(measured, claimed / understatement)
  }

  /** Fits the steps that wait to the tokens in KV caches, over the servers that were measured: a line through the origin. */
  #learn(index: SpanIndex): void {
    const { occupiedTokens: occupied, claimedSecondsPerBlock: claimed } = index
    let [products, squares] = [usualStepsPerToken * usualWeight, usualWeight]
    let [waits, servers] = [0, enough]
    this.#loads.forEach((peer, { best, recent, trust }) =>
      index.forSlotsOf(peer, (slot) => {
        const tokens = occupied[slot]!
        const steps = Math.max(0, recent / this.#alone(best, claimed[slot]!, tokens) - 1)
        products += trust * steps * tokens
        squares += trust * tokens ** 2
        waits += trust * steps
        servers += trust
      }),
    )
    this.#waiting = waits / servers
    this.#stepsPerToken = products / squares
  }
}
