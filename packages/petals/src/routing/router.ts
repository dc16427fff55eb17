import type { AbortOptions } from '@petals-chat/engine'
import type { BlockRange } from '../blocks/block-range.ts'
import type { ServerInfo } from '../blocks/server-info.ts'
import type { AnnouncedSpan, Span } from '../blocks/spans.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import type { DecodeStep } from './server-loads.ts'
import type { Verdict, Verdicts } from './verdicts.ts'

/** One server and the blocks that it runs in a route: its span, or a part of it. */
export type Hop = Span

/** Consecutive hops, from the first block to the last. */
export type Route = readonly Hop[]

/** Chooses the servers that run blocks, and learns from what they did (`petals/client/routing/sequence_manager.py`). */
export interface Router extends AsyncDisposable {
  /**
   * Returns hops that cover exactly these blocks. Waits for the first answer of the DHT.
   * @throws MissingBlocksError, PeerUnreachableError
   */
  route(blocks: BlockRange, options?: RouteOptions): Promise<Route>
  /** Reports that the server did what it was asked: lifts its ban and forgets its earlier ones. */
  reportSuccess(peer: PeerId): void
  /** Reports that a session of so many tokens is opened on the server, for the blocks of this span. */
  reportOpening(span: Span, session: string, tokens: number): void
  /** Reports how long a server took for a step of an answer: servers on which steps wait are chosen less. */
  reportStep(step: DecodeStep): void
  /** Reports that the session on the server is over. */
  reportEnd(peer: PeerId, session: string): void
  /** Reports that the server failed: bans it for a while, unless this client was at fault. */
  reportFailure(peer: PeerId, cause: unknown): void
  /** What spot checks have found. Servers that were found wrong are not used; disputed ones only where there are no others. */
  readonly verdicts: Verdicts
  /** Returns the shortest round trip measured; Infinity if the server does not answer; undefined before the first ping. */
  leastRttSeconds(peer: PeerId): number | undefined
  /**
   * Returns when all of these blocks last had a server that answered, `performance.now()` milliseconds; undefined if no
   * server of some block has ever answered this client.
   */
  aliveAt(blocks: readonly number[]): number | undefined
  /** Pings the servers whose state is not known from recent answers. Never throws. */
  check(options?: AbortOptions): Promise<void>
  /** Measures round trips again; concurrent calls share one measurement. Never throws: it records which servers are silent. */
  measure(): Promise<void>
  /** Asks the DHT for the servers of the model again. Never throws: what was known stays known if no peer answers. */
  refresh(options?: AbortOptions): Promise<void>
  /**
   * Returns for how many more sessions of so many tokens the servers have room, as far as is known; Infinity if nothing is.
   * Contacts no server. @param reclaimable vectors on a server that this client would give up for another session
   */
  sessionsThatFit(blocks: BlockRange, tokens: number, reclaimable: (peer: PeerId) => number): number
  /** Asks servers that lack the room for a session of so many tokens how much they have now. Never throws. */
  askRoom(tokens: number, options?: AbortOptions): Promise<void>
  /** Returns what is known now of every server of the model. Contacts no server. */
  status(): readonly ServerStatus[]
}

export interface RouteOptions extends AbortOptions {
  /** Tokens that the session will hold. Servers with less free KV cache are avoided. */
  readonly cacheTokens?: number | undefined
  /** `fastest` (default): the least latency; `shortest`: the fewest hops, for when routes keep failing. */
  readonly policy?: 'fastest' | 'shortest' | undefined
  /**
   * The server that is to be replaced in an answer: servers that compute with the same numbers are preferred, where they are not
   * much slower. Without it, such routes are preferred whose servers all compute with the same numbers.
   */
  readonly like?: ServerInfo | undefined
  /** Demerits of servers; all others have 0. A server is used only for blocks that no server with a lower demerit holds. */
  readonly avoid?: ReadonlyMap<PeerId, number> | undefined
  /**
   * Use only servers that are known to be alive, for every block that has one. The router may ping servers for a few seconds
   * to find them. For use after announced servers have turned out not to exist.
   */
  readonly provenOnly?: boolean | undefined
}

/** What is known of one server. */
export interface ServerStatus extends AnnouncedSpan {
  /** Smoothed round trip; Infinity if the server does not answer; undefined before the first ping. */
  readonly rttSeconds: number | undefined
  /** The server answered the last request; undefined if there is no recent sign. */
  readonly alive: boolean | undefined
  /** 0 if the server is not banned. */
  readonly bannedForMs: number
  /**
   * The configuration allows the server, it has loaded the adapter that the model needs, and no spot check has found it
   * wrong.
   */
  readonly usable: boolean
  /** What spot checks have found; undefined: nothing against it. */
  readonly verdict: Verdict | undefined
}
