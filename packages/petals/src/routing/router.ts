import type { AbortOptions } from '@petals-chat/engine'
import type { BlockRange } from '../blocks/block-range.ts'
import type { AnnouncedSpan, Span } from '../blocks/spans.ts'
import type { PeerId } from '../p2p/peer-id.ts'

/** One server and the blocks that it runs in a route: its span, or a part of it. */
export type Hop = Span

/** Consecutive hops, from the first block to the last. */
export type Route = readonly Hop[]

/** Chooses the servers that blocks are run on, and learns from how it went. */
export interface Router extends AsyncDisposable {
  /**
   * Returns hops that cover exactly these blocks. Waits for the first answer of the DHT.
   * @throws MissingBlocksError, PeerUnreachableError
   */
  route(blocks: BlockRange, options?: RouteOptions): Promise<Route>
  /** The server did what it was asked: a ban, and the memory of earlier ones, are lifted. */
  reportSuccess(peer: PeerId): void
  /** The server failed: it is left alone for a while, unless the fault was ours. */
  reportFailure(peer: PeerId, cause: unknown): void
  /** The shortest round trip that was measured; Infinity if the server does not answer; undefined before the first ping. */
  leastRttSeconds(peer: PeerId): number | undefined
  /**
   * When all of these blocks last had a server that answered, `performance.now()` milliseconds; undefined if some block never
   * had one that we know of.
   */
  aliveAt(blocks: readonly number[]): number | undefined
  /** Finds out which servers answer, of all that nothing new is known of. Never throws. */
  check(options?: AbortOptions): Promise<void>
  /** Pings servers again; calls that come meanwhile share it. Never throws: what does not answer is noted as such. */
  measure(): Promise<void>
  status(): readonly ServerStatus[]
}

export interface RouteOptions extends AbortOptions {
  /** Tokens that the session will hold: servers with less room are avoided. */
  readonly cacheTokens?: number | undefined
  /** `fastest` (default) by measured latency; `shortest` by the number of servers, when routes keep failing. */
  readonly policy?: 'fastest' | 'shortest' | undefined
  /** Servers that are to be used only where there is none with a lower demerit; all others have 0. */
  readonly avoid?: ReadonlyMap<PeerId, number> | undefined
  /**
   * Only servers that are known to live, if the blocks can do without others; perhaps after a few seconds in which servers
   * are pinged. For when names in records have turned out to be no more than that.
   */
  readonly provenOnly?: boolean | undefined
}

/** What is known of one server. */
export interface ServerStatus extends AnnouncedSpan {
  /** Smoothed round trip; Infinity if it does not answer; undefined before the first ping. */
  readonly rttSeconds: number | undefined
  /** Whether it answered last; undefined if it was not asked lately. */
  readonly alive: boolean | undefined
  /** 0 if it is not banned. */
  readonly bannedForMs: number
  /** The configuration allows it, and it has the adapter that is wanted. */
  readonly usable: boolean
}
