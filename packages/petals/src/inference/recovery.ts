import { CapacityError, GenerationFailedError } from '@petals-chat/engine'
import { DeadlineExceededError, PeerUnreachableError } from '../errors.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import { failureKind } from '../routing/failure-kind.ts'

/** Pauses before a server is tried again that has failed in the same step, as the reference client's backoff. */
const minBackoffMs = 500
const maxBackoffMs = 4000

/** So often servers are tried again that have failed in the same step: about twelve seconds in all. */
const maxReturns = 5

/** After this many failures in a step the route of fewest servers is taken, not the fastest. */
const failuresBeforeShortest = 3

/** A server that can't even be reached costs little time: perhaps it is only a name in a record. */
const weightOfUnreachable = 0.2

/** After this many of them in a step only servers that are known to live are taken, as far as there are any. */
const unreachableBeforeProven = 2

/** How much longer to wait for an answer each time that a deadline has passed in the same step. */
const deadlineGrowth = 2

/** What went wrong in one step, and how long to go on trying. */
export class Recovery {
  /** Peers that failed. */
  readonly failed = new Set<PeerId>()
  deadlineScale = 1
  #failures = 0
  #unreachable = 0
  #returns = 0
  #cause: Error | undefined
  readonly #maxRetries: number

  constructor(maxRetries: number) {
    this.#maxRetries = maxRetries
  }

  get policy(): 'fastest' | 'shortest' {
    return this.#failures >= failuresBeforeShortest ? 'shortest' : 'fastest'
  }

  /** Records name servers that are not there: those that have answered before are to be taken. */
  get provenOnly(): boolean {
    return this.#unreachable >= unreachableBeforeProven
  }

  /** @throws CapacityError or GenerationFailedError when this was one failure too many. */
  note(peer: PeerId | undefined, cause: Error): void {
    if (peer) this.failed.add(peer)
    this.#cause = cause
    if (cause instanceof DeadlineExceededError) this.deadlineScale *= deadlineGrowth
    if (cause instanceof PeerUnreachableError) this.#unreachable++
    else this.#failures++
    if (this.#failures + this.#unreachable * weightOfUnreachable > this.#maxRetries)
      throw giveUp(this.failed.size, cause)
  }

  /**
   * How long to pause before these servers are asked: not at all, unless one of them has failed just now.
   * @throws as `note`, when that has been tried too often.
   */
  pauseMs(peers: readonly PeerId[]): number {
    if (!this.#cause || !peers.some((peer) => this.failed.has(peer))) return 0
    if (this.#returns >= Math.min(maxReturns, this.#maxRetries)) throw giveUp(this.failed.size, this.#cause)
    return Math.min(minBackoffMs * 2 ** this.#returns++, maxBackoffMs)
  }
}

function giveUp(servers: number, cause: Error): Error {
  if (failureKind(cause) === 'full') {
    const advice = 'Others are using them; try again soon, or ask for a shorter answer.'
    return new CapacityError(`The servers of the swarm have no room left in their KV caches. ${advice}`, {
      cause,
      retryAfterMs: 15_000,
    })
  }
  const what = servers === 1 ? 'The server that is needed failed' : `${servers} servers of the swarm failed`
  return new GenerationFailedError(`${what}, last: ${cause.message}`, { cause })
}
