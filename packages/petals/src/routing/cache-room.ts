import type { BlockRange } from '../blocks/block-range.ts'
import type { AnnouncedSpan, Span } from '../blocks/spans.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import { vectorsPerToken, type SpanIndex } from './span-index.ts'

/** A planned session that has not been opened this long is forgotten. */
const expectedForMs = 2000
/** An announcement that came this long after a session there had ended is without it. */
const endedForMs = 600_000
/** A server that had no room is full for this long, unless it says something else or a session there ends. */
const fullForMs = 60_000

export interface SessionsQuery {
  /** Length of each session. */
  readonly tokens: number
  /** Slots that are not used. */
  readonly without: ReadonlySet<number>
  /** Slots that are used only for blocks that no other one holds. */
  readonly avoided: ReadonlySet<number>
  /** Vectors on a server that this client would give up for another session. */
  readonly reclaimable: (peer: PeerId) => number
}

/** A session of this client on a server. */
interface Booking {
  /** Vectors of KV cache: a key and a value for each token in each block. */
  readonly vectors: number
  /** Milliseconds of the clock. */
  readonly openedAt: number
  closedAt: number | undefined
}

/** What a server has told of its free room. */
interface Report {
  /** Tells announcements apart. */
  readonly key: number
  /** Free vectors. */
  readonly left: number
  /** The server told it at some time between these, milliseconds of the clock. */
  readonly since: number
  readonly until: number
}

interface Account {
  readonly bookings: Map<string, Booking>
  /** Of sessions that are planned. */
  readonly expected: { readonly at: number; readonly vectors: number }[]
  report: Report | undefined
  fullSince: number | undefined
}

/**
 * The free room in the KV caches of servers. What servers announce is minutes old: what the sessions of this client have taken
 * and given back since then is added up here. Where it is not known whether an announcement includes a session, it does not.
 */
export class CacheRoom {
  readonly #now: () => number
  /** Of servers that this client uses. */
  readonly #accounts = new Map<PeerId, Account>()
  #lookedAt: number

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number) {
    this.#now = now
    this.#lookedAt = now()
  }

  /** Servers of which something is remembered. */
  get size(): number {
    return this.#accounts.size
  }

  /** Reads the announcements of servers, each time that the DHT was asked. */
  announced(index: SpanIndex): void {
    for (const [peer, account] of this.#accounts)
      if (this.#isOver(account)) this.#accounts.delete(peer)
      else index.forSlotsOf(peer, (slot) => this.#read(account, index.spans[slot]!))
    this.#lookedAt = this.#now()
  }

  /** The server of this span has told its free room, in vectors. @param askedAt when it was asked, milliseconds of the clock */
  told(span: Span, left: number, askedAt: number): void {
    this.#take(this.#accountOf(span), { key: keyOf(span), left, since: askedAt, until: this.#now() })
  }

  /** Notes that a session of so many vectors will be opened on the server of this span. */
  expect(span: Span, vectors: number): void {
    const account = this.#accountOf(span)
    this.#forgetOld(account)
    account.expected.push({ at: this.#now(), vectors })
  }

  opened(span: Span, session: string, vectors: number): void {
    const { expected, bookings } = this.#accountOf(span)
    expected.shift()
    bookings.set(session, { vectors, openedAt: this.#now(), closedAt: undefined })
  }

  closed(peer: PeerId, session: string): void {
    const account = this.#accounts.get(peer)
    const booking = account?.bookings.get(session)
    if (!account || !booking) return
    booking.closedAt = this.#now()
    account.fullSince = undefined
  }

  /** The server had no room for a session. */
  refused(span: Span): void {
    this.#accountOf(span).fullSince = this.#now()
  }

  /**
   * Returns tokens of a session through all blocks of a server for which it has room, by slot; NaN if it does not tell.
   * @param reclaimable vectors on a server that this client would give up for another session
   */
  freeTokens(index: SpanIndex, reclaimable: (peer: PeerId) => number = () => 0): Float64Array {
    if (this.#accounts.size === 0) return index.freeTokens
    const free = index.freeTokens.slice()
    for (const [peer, account] of this.#accounts) {
      const left = this.#left(account)
      if (left === undefined) continue
      const vectors = Math.max(0, left) + reclaimable(peer)
      index.forSlotsOf(peer, (slot) => (free[slot] = vectors / vectorsPerToken(index.spans[slot]!)))
    }
    return free
  }

  /**
   * Returns for how many more sessions of so many tokens there is room, at most: the block with the least room counts. Blocks
   * without any server are not a matter of room.
   */
  sessionsThatFit(
    index: SpanIndex,
    { start, end }: BlockRange,
    { tokens, without, avoided, reclaimable }: SessionsQuery,
  ): number {
    const free = this.freeTokens(index, reclaimable)
    const sessionsOf = (slot: number): number =>
      Number.isNaN(free[slot]!) ? Infinity : Math.floor(free[slot]! / tokens)
    const { offsets, values } = index.holders
    let least = Infinity
    for (let block = start; block < end; block++) {
      const used = values.subarray(offsets[block], offsets[block + 1]).filter((slot) => !without.has(slot))
      const liked = used.filter((slot) => !avoided.has(slot))
      const slots = liked.length > 0 ? liked : used
      const sessions = slots.reduce((sum, slot) => sum + sessionsOf(slot), 0)
      if (slots.length > 0) least = Math.min(least, sessions)
    }
    return least
  }

  #left(account: Account): number | undefined {
    const now = this.#now()
    this.#forgetOld(account)
    const { bookings, expected, report, fullSince } = account
    if (fullSince !== undefined && now - fullSince < fullForMs) return 0
    if (!report) return undefined
    let left = expected.reduce((sum, { vectors }) => sum - vectors, report.left)
    for (const { vectors, openedAt, closedAt } of bookings.values()) {
      if (closedAt === undefined && openedAt >= report.since) left -= vectors
      if (closedAt !== undefined && openedAt < report.since && closedAt >= report.until) left += vectors
    }
    return left
  }

  #accountOf(span: Span): Account {
    const known = this.#accounts.get(span.peer)
    if (known) return known
    const account: Account = { bookings: new Map(), expected: [], report: undefined, fullSince: undefined }
    this.#accounts.set(span.peer, account)
    const { cacheTokensLeft: left } = span.server
    // What this client does from now on is not in it.
    const now = this.#now()
    if (left !== undefined) account.report = { key: keyOf(span), left, since: now, until: now }
    return account
  }

  #read(account: Account, span: Span): void {
    const { cacheTokensLeft: left } = span.server
    const key = keyOf(span)
    if (left === undefined || account.report?.key === key) return
    this.#take(account, { key, left, since: this.#lookedAt, until: this.#now() })
  }

  #take(account: Account, report: Report): void {
    account.report = report
    if (account.fullSince !== undefined && account.fullSince < report.since) account.fullSince = undefined
    // What ended before counts as free in it.
    for (const [session, { closedAt }] of account.bookings)
      if (closedAt !== undefined) account.bookings.delete(session)
  }

  /** Also of servers that announce nothing, or no longer. */
  #forgetOld({ bookings, expected }: Account): void {
    const now = this.#now()
    while (expected[0] && expected[0].at < now - expectedForMs) expected.shift()
    for (const [session, { closedAt = now }] of bookings)
      if (closedAt < now - endedForMs) bookings.delete(session)
  }

  #isOver(account: Account): boolean {
    this.#forgetOld(account)
    const { bookings, expected, fullSince } = account
    const isFull = fullSince !== undefined && this.#now() - fullSince < fullForMs
    return bookings.size === 0 && expected.length === 0 && !isFull
  }
}

const keyOf = (span: Span): number => (span as Partial<AnnouncedSpan>).expirationTime ?? 0
