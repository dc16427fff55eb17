import { CapacityError, GenerationFailedError } from '@petals-chat/engine'
import { formatBlocks } from '../blocks/block-range.ts'
import { ConnectionLostError, DeadlineExceededError, PeerUnreachableError } from '../errors.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import { failureKind, offenceOf } from '../routing/failure-kind.ts'
import type { Offence } from '../routing/ban-list.ts'

/** Pauses before a server is tried again that has failed in the same step. */
const minBackoffMs = 500
const maxBackoffMs = 2000

/** So often servers without room are asked again: about eight seconds in all. */
const maxReturnsToFull = 5

/** After this many failures in a step the route of fewest servers is taken, not the fastest. */
const failuresBeforeShortest = 3

/** A name that can't be reached costs little time: perhaps it is only that, a name in a record. So many count as one error. */
const namesPerError = 5

/** After this many of them in a step only servers that are known to live are taken, as far as there are any. */
const unreachableBeforeProven = 2

/** How much longer to wait for an answer each time that a deadline has passed in the same step. */
const deadlineGrowth = 2

/** A server that was slow is asked again before one that fails, and that before one that can't be reached. */
const demerits: Readonly<Record<Offence, number>> = { late: 1, failed: 2, gone: 2 }

/** What went wrong in one step, and how long to go on trying. */
export class Recovery {
  /** Peers that failed, and how bad a choice they are now. */
  readonly failed = new Map<PeerId, number>()
  deadlineScale = 1
  /** Errors, wrong answers and broken connections that are survived. */
  readonly #maxRetries: number
  readonly #offences = new Map<PeerId, Offence>()
  #failures = 0
  /** Of these, errors, wrong answers and connections that broke: the server was there. */
  #errors = 0
  #unreachable = 0
  #returns = 0
  #returnsToFull = 0
  #startedAt: number | undefined
  #cause: Error | undefined

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

  /** Of the first failure, `performance.now()` milliseconds; now, if there was none. */
  get startedAt(): number {
    return (this.#startedAt ??= performance.now())
  }

  /** The latest failure. */
  get cause(): Error | undefined {
    return this.#cause
  }

  /**
   * A server failed. That one was slow, or can't be reached, is no reason to give up; that servers which can be reached fail
   * again and again is. @throws CapacityError or GenerationFailedError when this was one error too many.
   */
  note(peer: PeerId | undefined, cause: Error, blocks: readonly number[] = []): void {
    this.#startedAt ??= performance.now()
    this.#cause = cause
    const offence = offenceOf(cause)
    if (cause instanceof DeadlineExceededError) this.deadlineScale *= deadlineGrowth
    if (cause instanceof PeerUnreachableError) {
      if (peer && !this.failed.has(peer)) this.#unreachable++
    } else this.#failures++
    const isError =
      offence === 'failed' || failureKind(cause) === 'full' || cause instanceof ConnectionLostError
    if (isError) this.#errors++
    if (peer) {
      this.failed.set(peer, (this.failed.get(peer) ?? 0) + demerits[offence])
      this.#offences.set(peer, offence)
    }
    if (this.#errors + this.#unreachable / namesPerError > this.#maxRetries)
      throw giveUp(this.failed.size, cause, blocks)
  }

  /**
   * How long to pause before these servers, which have failed in this step, are asked again. One that was slow has had its
   * pause. @throws CapacityError when there is no room in servers' caches, and that has been so too often.
   */
  pauseMs(peers: readonly PeerId[]): number {
    const cause = this.#cause
    const isFull = failureKind(cause) === 'full'
    // Pauses in which nothing was asked, or something else was the matter, are no attempts to find room.
    if (isFull && peers.length > 0 && this.#returnsToFull++ >= Math.min(maxReturnsToFull, this.#maxRetries))
      throw giveUp(this.failed.size, cause!, [])
    if (!isFull && peers.length > 0 && peers.every((peer) => this.#offences.get(peer) === 'late')) return 0
    return Math.min(minBackoffMs * 2 ** this.#returns++, maxBackoffMs)
  }
}

function giveUp(servers: number, cause: Error, blocks: readonly number[]): Error {
  if (failureKind(cause) === 'full') {
    const advice = 'Others are using them; try again soon, or ask for a shorter answer.'
    return new CapacityError(`The servers of the swarm have no room left in their KV caches. ${advice}`, {
      cause,
      retryAfterMs: 15_000,
    })
  }
  const of = blocks.length === 0 ? '' : ` for blocks ${formatBlocks(blocks)}`
  const what = servers === 1 ? `The server that is needed${of} failed` : `${servers} servers${of} failed`
  return new GenerationFailedError(`${what}, last: ${cause.message}`, { cause })
}
