import { CapacityError, GenerationFailedError } from '@petals-chat/engine'
import { formatBlocks } from '../blocks/block-range.ts'
import { ConnectionLostError, DeadlineExceededError, PeerUnreachableError } from '../errors.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import { failureKind, offenceOf } from '../routing/failure-kind.ts'
import type { Offence } from '../routing/ban-list.ts'
import type { Progress } from './route-progress.ts'

/** Shortest and longest pause before a server that has failed in the same step is tried again. */
const minBackoffMs = 500
const maxBackoffMs = 2000

/** How often servers without room are asked again: about eight seconds in all. */
const maxReturnsToFull = 5

/** After this many failures in a step, the route with the fewest servers is chosen instead of the fastest. */
const failuresBeforeShortest = 3

/** An unreachable server costs little time, and may exist only as a name in a record. This many count as one error. */
const namesPerError = 5

/** After this many unreachable servers in a step, only those that have answered before are chosen, if there are any. */
const unreachableBeforeProven = 2

/** Factor by which deadlines grow each time that one has passed in the same step. */
const deadlineGrowth = 2

/** Failures without any progress between them are endured at least this long. */
const leastStallMs = 60_000

/** Replays may take so many times as long before something new must come of them. */
const stallsOfReplays = 8

export interface RecoveryOptions {
  readonly maxRetries: number
  readonly waitTimeoutMs: number
}

/** A server that was slow is asked again before one that failed or can't be reached. */
const demerits: Readonly<Record<Offence, number>> = { late: 1, failed: 2, gone: 2 }

/** How far the route was at the last failure that followed progress, and when that was. */
interface Stall extends Progress {
  readonly since: number
  /** The same for the last failure that followed something new. */
  readonly freshSince: number
}

/** What went wrong in one step. It decides how long to continue. */
export class Recovery {
  /** Peers that failed. The higher the number, the worse a choice they are now. */
  readonly failed = new Map<PeerId, number>()
  deadlineScale = 1
  /** Errors, wrong answers and broken connections before the step is given up. */
  readonly #maxRetries: number
  readonly #maxStallMs: number
  readonly #now: () => number
  readonly #offences = new Map<PeerId, Offence>()
  /** Failures other than unreachable servers; they decide the policy. */
  #failures = 0
  /** Failures of servers that were reached: errors, wrong answers and broken connections. */
  #errors = 0
  #unreachable = 0
  #returns = 0
  #returnsToFull = 0
  #startedAt: number | undefined
  #cause: Error | undefined
  #stall: Stall | undefined

  /** @param now milliseconds of a clock that never goes back */
  constructor({ maxRetries, waitTimeoutMs }: RecoveryOptions, now: () => number = () => performance.now()) {
    this.#now = now
    this.#maxRetries = maxRetries
    this.#maxStallMs = Math.max(2 * waitTimeoutMs, leastStallMs)
  }

  get policy(): 'fastest' | 'shortest' {
    return this.#failures >= failuresBeforeShortest ? 'shortest' : 'fastest'
  }

  /** Records name servers that don't exist, so only those that have answered before shall be chosen. */
  get provenOnly(): boolean {
    return this.#unreachable >= unreachableBeforeProven
  }

  /** The latest failure was a server without room in its KV cache. */
  get lacksRoom(): boolean {
    return failureKind(this.#cause) === 'full'
  }

  /** Time of the first failure, `performance.now()` milliseconds; now, if there was none. */
  get startedAt(): number {
    return (this.#startedAt ??= performance.now())
  }

  /** The latest failure. */
  get cause(): Error | undefined {
    return this.#cause
  }

  /**
   * Called at each failure, whatever its kind: servers that always have another excuse must not hold an answer for ever. A
   * long replay on a slow server is progress, too, as long as new servers are found for it.
   * @throws GenerationFailedError if there was none for too long
   */
  expectProgress({ fresh, replayed }: Progress, cause: Error): void {
    const now = this.#now()
    const last = this.#stall
    const isFresh = !last || fresh > last.fresh
    const freshSince = isFresh ? now : last.freshSince
    const since = isFresh || replayed > last.replayed ? now : last.since
    this.#stall = { fresh, replayed, since, freshSince }
    if (now - since <= this.#maxStallMs && now - freshSince <= stallsOfReplays * this.#maxStallMs) return
    const seconds = Math.round((now - freshSince) / 1000)
    const what = `The swarm's servers have not advanced this answer for ${seconds} seconds`
    throw new GenerationFailedError(`${what}, last: ${cause.message}`, { cause })
  }

  /**
   * Notes that a server failed. A server that was slow or can't be reached is no reason to give up. Repeated failures of
   * servers that can be reached are. @throws CapacityError or GenerationFailedError if this was one error too many
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
   * Returns how long to pause before these servers, which have failed in this step, are asked again. A slow server has had
   * its pause already. @throws CapacityError if servers had no room in their KV caches too often
   */
  pauseMs(peers: readonly PeerId[]): number {
    const cause = this.#cause
    const isFull = this.lacksRoom
    // A pause without a server to ask, or after another kind of failure, is not an attempt to find room.
    if (isFull && peers.length > 0 && this.#returnsToFull++ >= Math.min(maxReturnsToFull, this.#maxRetries))
      throw giveUp(this.failed.size, cause!, [])
    if (!isFull && peers.length > 0 && peers.every((peer) => this.#offences.get(peer) === 'late')) return 0
    return Math.min(minBackoffMs * 2 ** this.#returns++, maxBackoffMs)
  }
}

function giveUp(servers: number, cause: Error, blocks: readonly number[]): Error {
  if (failureKind(cause) === 'full') {
    const advice = 'Other clients are using them; try again soon, or ask for a shorter answer.'
    return new CapacityError(`The servers of the swarm have no room left in their KV caches. ${advice}`, {
      cause,
      retryAfterMs: 15_000,
    })
  }
  const of = blocks.length === 0 ? '' : ` for blocks ${formatBlocks(blocks)}`
  const what = servers === 1 ? `The server that is needed${of} failed` : `${servers} servers${of} failed`
  return new GenerationFailedError(`${what}, last: ${cause.message}`, { cause })
}
