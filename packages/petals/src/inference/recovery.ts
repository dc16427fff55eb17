import { CapacityError, GenerationFailedError } from '@petals-chat/engine'
import type { PeerId } from '../p2p/peer-id.ts'
import { failureKind } from '../routing/failure-kind.ts'

/** Pauses before a server is tried again that has failed in the same step, as the reference client's backoff. */
const minBackoffMs = 500
const maxBackoffMs = 8000

/** After this many failures in a step the route of fewest servers is taken, not the fastest. */
const failuresBeforeShortest = 3

/** How much longer to wait for an answer each time that a deadline has passed in the same step. */
const deadlineGrowth = 2

/** What went wrong in one step, and how long to go on trying. */
export class Recovery {
  /** Peers that failed. */
  readonly failed = new Set<PeerId>()
  deadlineScale = 1
  #failures = 0
  #returns = 0
  readonly #maxRetries: number

  constructor(maxRetries: number) {
    this.#maxRetries = maxRetries
  }

  get policy(): 'fastest' | 'shortest' {
    return this.#failures >= failuresBeforeShortest ? 'shortest' : 'fastest'
  }

  /** @throws CapacityError or GenerationFailedError when this was one failure too many. */
  note(peer: PeerId | undefined, cause: Error): void {
    if (peer) this.failed.add(peer)
    if (cause.name === 'DeadlineExceededError') this.deadlineScale *= deadlineGrowth
    if (++this.#failures > this.#maxRetries) throw giveUp(this.#failures, cause)
  }

  /** How long to pause before these servers are asked: not at all, unless one of them has failed just now. */
  pauseMs(peers: readonly PeerId[]): number {
    if (!peers.some((peer) => this.failed.has(peer))) return 0
    return Math.min(minBackoffMs * 2 ** this.#returns++, maxBackoffMs)
  }
}

function giveUp(failures: number, cause: Error): Error {
  if (failureKind(cause) === 'full') {
    const advice = 'Others are using them; try again soon, or ask for a shorter answer.'
    return new CapacityError(`The servers of the swarm have no room left in their KV caches. ${advice}`, {
      cause,
      retryAfterMs: 15_000,
    })
  }
  return new GenerationFailedError(
    `Servers of the swarm failed ${failures} times in a row, last: ${cause.message}`,
    { cause },
  )
}
