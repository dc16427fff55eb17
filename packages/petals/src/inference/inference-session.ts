import type { AbortOptions, WaitOptions } from '@petals-chat/engine'
import type { Span } from '../blocks/spans.ts'
import type { SessionFailover } from './failover-log.ts'
import type { HiddenStates } from '../tensor/hidden-states.ts'

/**
 * The blocks of a model, run by a route of servers whose KV caches hold what was run so far. Survives its servers: when
 * one fails, others take over and are sent what it knew. One call at a time.
 */
export interface InferenceSession extends AsyncDisposable {
  /** Tokens that were run. */
  readonly position: number
  /** Servers that hold the session now; empty before the first step. */
  readonly route: readonly Span[]
  /** Servers that were left in mid-session, oldest first. */
  readonly failovers: readonly SessionFailover[]
  /** Outputs go from server to server instead of through this machine. */
  readonly pushed: boolean
  /** Finds a route and opens the sessions on it, so that the first step need not. Does not wait for servers. @throws as `step` */
  open(options?: OpenOptions): Promise<void>
  /**
   * Runs `inputs` (at least one token) after those before. Where servers are slow or gone it waits for them, and tells so, as
   * long as the configuration allows. If it throws or is aborted, the session is as it was, and can go
   * on. @throws ContextLengthError, MissingBlocksError, CapacityError, GenerationFailedError, PeerUnreachableError
   */
  step(inputs: HiddenStates, options?: StepOptions): Promise<HiddenStates>
  /** Forgets everything from `position` on, 0 ≤ position ≤ this.position. Costs nothing before the next step. */
  rewind(position: number): void
}

export interface StepOptions extends AbortOptions, WaitOptions {}

export interface OpenOptions extends AbortOptions {
  /** Tokens that will be needed soon, the prompt's for instance: sessions that are opened for fewer would have to be renewed. */
  readonly length?: number | undefined
}
