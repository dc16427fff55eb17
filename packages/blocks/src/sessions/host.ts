import type { BlockRange, PeerId } from '@petals-chat/petals/protocol'
import type { BlockEngine } from '../engine/block-engine.ts'

/** The blocks that the server holds now, as handlers of requests see them. */
export interface HeldBlocks {
  readonly engine: BlockEngine
  readonly range: BlockRange
}

/** What happens to requests, for people and for the announcement. */
export interface SessionObserver {
  opened(session: SessionInfo): void
  /** @param tokens over all rows; `ms` the time that the engine took, waiting included */
  computed(session: SessionInfo, tokens: number, ms: number): void
  closed(session: SessionInfo): void
}

export interface SessionInfo {
  readonly kind: 'inference' | 'forward'
  readonly peer: PeerId
  readonly blocks: BlockRange
  readonly batch: number
  /** Tokens that its KV cache holds; 0 for a pass without one. */
  readonly maxLength: number
  /** `Date.now()` */
  readonly openedAt: number
}

export interface ServingLimits {
  /** Open sessions. Peers of one origin may have as many as they leave free, a peer as many as it leaves free of those. */
  readonly sessions: number
  readonly sessionsPerPeer: number
  /** How long a stream may be silent before its first request. */
  readonly openingTimeoutMs: number
  /** The whole session, and the wait for its next request: `session_timeout` and `step_timeout` of Petals. */
  readonly sessionTimeoutMs: number
  readonly stepTimeoutMs: number
  /** A pass without a session: `request_timeout`. */
  readonly requestTimeoutMs: number
}

export const defaultServingLimits: ServingLimits = {
  sessions: 1024,
  sessionsPerPeer: 256,
  openingTimeoutMs: 30_000,
  sessionTimeoutMs: 30 * 60_000,
  stepTimeoutMs: 5 * 60_000,
  requestTimeoutMs: 3 * 60_000,
}

/** What the handlers of requests need of the server. */
export interface ServingHost {
  readonly dhtPrefix: string
  readonly adapters: readonly string[]
  readonly limits: ServingLimits
  readonly observer: SessionObserver
  /** Undefined while the server loads blocks, or ends. */
  blocks(): HeldBlocks | undefined
  /** Where a peer is connected from: ids cost nothing, so peers of one origin share. Its id if that is not known. */
  originOf(peer: PeerId): string
  /** False while the server ends: open sessions go on, and no new one begins. */
  acceptsSessions(): boolean
}
