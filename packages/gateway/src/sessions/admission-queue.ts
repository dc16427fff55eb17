import { CapacityError } from '@petals-chat/engine'
import type { Claim } from '../context.ts'
import { FairShares } from './fair-shares.ts'

export interface AdmissionConfig {
  /** Permits that can be out at the same time. */
  readonly maxPermits: number
  readonly queueLength: number
  readonly queueTimeoutMs: number
  /** Milliseconds without a reader after which an answer waits behind those that are read. */
  readonly unreadGraceMs: number
}

export interface EnterOptions {
  /** Reports whether the engine has room for the claim now. Asked while other permits are out: one is always admitted. */
  readonly hasRoom?: (() => boolean) | undefined
}

interface Waiter extends EnterOptions {
  readonly claim: Claim
  /** Had a permit already, and goes before all others. */
  readonly isFirst: boolean
  /** Its place, as it was told last. */
  place: number | undefined
  /** Since when others wait behind it although they may fit, milliseconds of `performance.now()`. */
  holdsUpSince: number | undefined
  /** That time counts for its client. */
  isCharged: boolean
  readonly admit: () => void
  readonly refuse: (reason: unknown) => void
}

/** Bounds of `retryAfterMs` for refused clients: long enough to be useful, and not longer than a person waits. */
const MIN_RETRY_MS = 1_000
const MAX_RETRY_MS = 60_000

/**
 * How long a request for more room than there is keeps those behind it waiting, so that room gathers for it. Then they pass it:
 * one client would block all others.
 */
const HOLD_UP_MS = 10_000

/** Weight of the newest measurement in the running mean of how long permits are held. */
const HOLD_TIME_WEIGHT = 0.2

/** The account of claims that name none. */
const UNNAMED = ''

const accountOf = ({ account = UNNAMED }: Claim): string => account

/**
 * At most `maxPermits` permits are out, and a bounded number of requests wait. Clients share the permits equally, however
 * many requests each of them sends; the requests of one client are admitted in the order of their arrival. In a full
 * queue a newcomer takes the place of the client with the most requests. If the engine has space for fewer sessions, the
 * caller reports that by `shrink`; every returned permit then raises the limit by one again. Where it can tell before, `hasRoom`
 * does; a request that does not fit is passed by others that do, but not at once.
 */
export class AdmissionQueue {
  readonly #config: AdmissionConfig
  readonly #shares = new FairShares()
  /** In the order of arrival. */
  readonly #waiters: Waiter[] = []
  #permits = 0
  #limit: number
  #meanHoldMs = MIN_RETRY_MS

  constructor(config: AdmissionConfig) {
    this.#config = config
    this.#limit = config.maxPermits
  }

  /** Permits that are out. */
  get active(): number {
    return this.#permits
  }

  get waiting(): number {
    return this.#waiters.length
  }

  /** Requests wait although there are permits: the engine has no room. */
  get lacksRoom(): boolean {
    return this.#waiters.length > 0 && this.#permits < this.#limit
  }

  /** Resolves with a permit. @throws CapacityError when the queue is full or the wait too long; the signal's reason. */
  async enter(claim: Claim = {}, { hasRoom }: EnterOptions = {}): Promise<void> {
    claim.signal?.throwIfAborted()
    if (this.#waiters.length === 0 && this.#admits({ hasRoom })) return this.#take(claim)
    this.#assertPlace(claim)
    if (this.#isFull && !claim.isContinued) this.#makeRoom(claim)
    await this.#wait(claim, { isFirst: false, hasRoom })
  }

  /** Admits requests that wait for room, as far as there is some now. */
  roomChanged(): void {
    this.#admitNext()
  }

  /** Changes nothing. @throws CapacityError if `enter` would refuse the claim at once, because the queue is full. */
  assertRoom(claim: Claim): void {
    if (this.#waiters.length > 0 || this.#permits >= this.#limit) this.#assertPlace(claim)
  }

  #assertPlace(claim: Claim): void {
    if (this.#isFull && !claim.isContinued && this.#givesWayTo(claim) === undefined)
      throw this.#full('All sessions are in use and the queue is full.')
  }

  get #isFull(): boolean {
    return this.#waiters.length >= this.#config.queueLength
  }

  /** Returns the permit of `claim`, which was held for `heldMs`. */
  leave(heldMs: number, claim: Claim = {}): void {
    this.#meanHoldMs += HOLD_TIME_WEIGHT * (heldMs - this.#meanHoldMs)
    this.#limit = Math.min(this.#limit + 1, this.#config.maxPermits)
    this.#giveBack(claim, heldMs)
    this.#admitNext()
  }

  /**
   * Lowers the limit because the engine has no space for the session of the claim's permit, and waits, ahead of all other
   * requests, until another permit is returned. The only holder of a permit must not call it.
   */
  async shrink(claim: Claim = {}): Promise<void> {
    this.#giveBack(claim, 0)
    this.#limit = this.#permits
    await this.#wait(claim, { isFirst: true })
  }

  #admits({ hasRoom }: EnterOptions): boolean {
    if (this.#permits >= this.#limit) return false
    return this.#permits === 0 || hasRoom === undefined || hasRoom()
  }

  #take(claim: Claim): void {
    this.#permits += 1
    this.#shares.take(accountOf(claim))
  }

  #giveBack(claim: Claim, heldMs: number): void {
    this.#permits -= 1
    this.#shares.giveBack(accountOf(claim), heldMs)
  }

  async #wait(claim: Claim, { isFirst, hasRoom }: Pick<Waiter, 'isFirst' | 'hasRoom'>): Promise<void> {
    const { signal, isContinued = false } = claim
    signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiter: Waiter = {
      claim,
      isFirst,
      hasRoom,
      place: undefined,
      holdsUpSince: undefined,
      isCharged: false,
      admit: resolve,
      refuse: reject,
    }
    this.#waiters.push(waiter)
    // It may fit although others wait for room.
    if (this.#admissible() === waiter) return this.#admit(waiter)
    this.#tellPlaces()
    const abort = () => this.#drop(waiter, signal?.reason)
    const timer = isContinued
      ? undefined
      : setTimeout(() => this.#expire(waiter), this.#config.queueTimeoutMs)
    signal?.addEventListener('abort', abort, { once: true })
    try {
      await promise
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    }
  }

  #admitNext(): void {
    for (let waiter = this.#admissible(); waiter !== undefined; waiter = this.#admissible()) {
      this.#admit(waiter)
      waiter.admit()
      waiter.claim.onPlace?.(undefined)
      this.#tellPlaces()
    }
  }

  #admit(waiter: Waiter): void {
    this.#remove(waiter)
    this.#take(waiter.claim)
  }

  #remove(waiter: Waiter): void {
    this.#waiters.splice(this.#waiters.indexOf(waiter), 1)
    this.#charge(waiter)
  }

  /** The waiter that is to be admitted now: the one with the best claim that fits, unless one before it holds it up. */
  #admissible(): Waiter | undefined {
    if (this.#permits >= this.#limit) return undefined
    for (const waiter of this.#inOrder()) {
      if (this.#admits(waiter)) return waiter
      if (this.#holdsUp(waiter)) return undefined
    }
    return undefined
  }

  /** A request that was begun waits without a limit: it is not passed. */
  #holdsUp(waiter: Waiter): boolean {
    if (this.#waiters.length === 1 || waiter.claim.isContinued) return true
    waiter.holdsUpSince ??= performance.now()
    if (performance.now() - waiter.holdsUpSince < HOLD_UP_MS) return true
    this.#charge(waiter)
    return false
  }

  /** The time for which a request held up others counts as time that its client was served: the next one comes after theirs. */
  #charge(waiter: Waiter): void {
    if (waiter.holdsUpSince === undefined || waiter.isCharged) return
    waiter.isCharged = true
    const heldUpMs = Math.min(performance.now() - waiter.holdsUpSince, HOLD_UP_MS)
    this.#shares.charge(accountOf(waiter.claim), heldUpMs)
  }

  /** Tells each waiting request its place, if it has changed. */
  #tellPlaces(): void {
    if (!this.#waiters.some(({ claim }) => claim.onPlace)) return
    for (const [index, waiter] of this.#inOrder().entries()) {
      if (waiter.place === index + 1) continue
      waiter.place = index + 1
      waiter.claim.onPlace?.(waiter.place)
    }
  }

  /** The waiters with the best claims first; among equal ones the one that has waited longest. */
  #inOrder(): readonly Waiter[] {
    return this.#waiters.toSorted((left, right) => this.#compare(left, right))
  }

  /** An answer that is not being read comes after all that are. */
  #compare({ claim: left, isFirst }: Waiter, { claim: right, isFirst: isOtherFirst }: Waiter): number {
    if (isFirst || isOtherFirst) return Number(isOtherFirst) - Number(isFirst)
    return (
      Number(this.#isUnread(left)) - Number(this.#isUnread(right)) ||
      this.#shares.compare(accountOf(left), accountOf(right))
    )
  }

  /** Refuses a waiting request so that another client can wait. */
  #makeRoom(newcomer: Claim): void {
    const waiter = this.#givesWayTo(newcomer)
    if (waiter === undefined) return
    this.#drop(waiter, this.#full('The queue is full, and other clients have fewer requests in it.'))
  }

  /**
   * The waiting request that is refused so that another client can wait: an answer that is not being read, otherwise the
   * newest request of the client that has the most, if it has at least two more than the newcomer.
   */
  #givesWayTo(newcomer: Claim): Waiter | undefined {
    const refusable = this.#waiters.filter(({ claim, isFirst }) => !isFirst && !claim.isContinued)
    return (
      refusable.find(({ claim }) => this.#isUnread(claim)) ?? this.#newestOfGreediest(refusable, newcomer)
    )
  }

  #newestOfGreediest(refusable: readonly Waiter[], newcomer: Claim): Waiter | undefined {
    const byClient = Map.groupBy(refusable, ({ claim }) => accountOf(claim))
    const [greediest = []] = [...byClient.values()].sort((left, right) => right.length - left.length)
    const own = this.#waiters.filter(({ claim }) => accountOf(claim) === accountOf(newcomer)).length
    return greediest.length >= own + 2 ? greediest.at(-1) : undefined
  }

  #isUnread({ reader }: Claim): boolean {
    return (reader?.unreadMs ?? -1) >= this.#config.unreadGraceMs
  }

  #expire(waiter: Waiter): void {
    const seconds = Math.round(this.#config.queueTimeoutMs / 1000)
    this.#drop(waiter, this.#full(`No session became free within ${seconds} s.`))
  }

  #drop(waiter: Waiter, reason: unknown): void {
    if (!this.#waiters.includes(waiter)) return
    this.#remove(waiter)
    waiter.refuse(reason)
    this.#tellPlaces()
    // It may have held up others.
    this.#admitNext()
  }

  #full(message: string): CapacityError {
    const rounds = (this.#waiters.length + 1) / Math.max(this.#limit, 1)
    const retryAfterMs = Math.min(Math.max(rounds * this.#meanHoldMs, MIN_RETRY_MS), MAX_RETRY_MS)
    return new CapacityError(`${message} Try again later.`, { retryAfterMs })
  }
}
