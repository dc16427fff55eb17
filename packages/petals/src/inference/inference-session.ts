import type { AbortOptions, WaitOptions } from '@petals-chat/engine'
import type { Span } from '../blocks/spans.ts'
import type { SessionFailover } from './failover-log.ts'
import type { StandbyState } from './standby/standby.ts'
import type { HiddenStates } from '../tensor/hidden-states.ts'

/**
 * Runs the blocks of a model on a route of servers, whose KV caches hold what was run so far. It survives its servers: when
 * one fails, others replace it and are sent its inputs. One call at a time; a second one is refused with an
 * InvalidRequestError, and any call after disposal with a ModelUnavailableError.
 */
export interface InferenceSession extends AsyncDisposable {
  /** Tokens that were run. */
  readonly position: number
  /** Servers that hold the session now; empty before the first step. */
  readonly route: readonly Span[]
  /** For each server of the route the one that is ready to take over; undefined where none is. */
  readonly standbys: readonly (StandbyState | undefined)[]
  /** Servers that were replaced in the middle of the session, oldest first. */
  readonly failovers: readonly SessionFailover[]
  /** Bytes of the inputs that are kept to be sent again when a server is lost: those of each span of the route. */
  readonly historyBytes: number
  /** Outputs go from server to server instead of through this client. */
  readonly pushed: boolean
  /**
   * Finds a route and opens its server sessions, so that the first step need not. Work that is only done in advance does not
   * wait for servers. @throws as `step`
   */
  open(options?: OpenOptions): Promise<void>
  /**
   * Runs `inputs`, at least one token, after the earlier ones. While servers are slow or gone it waits for them, and reports
   * that by `onWait`, as long as the configuration allows. If it throws or is aborted, the session is as before and can be
   * used again. @throws ContextLengthError, MissingBlocksError, CapacityError, GenerationFailedError, PeerUnreachableError
   */
  step(inputs: HiddenStates, options?: StepOptions): Promise<HiddenStates>
  /**
   * Forgets everything from `position` on, 0 ≤ position ≤ this.position. The work is done by the next step. Not while a call
   * runs. @throws RangeError
   */
  rewind(position: number): void
  /**
   * Returns how many tokens after `position` a step may run so that `rewind` forgets them without any cost: 0 unless every
   * server of the route is known to overwrite its KV cache. The first call begins to find that out, and does not wait for it.
   */
  rewindableTokens(): number
}

export interface StepOptions extends AbortOptions, WaitOptions {
  /** The inputs are tokens of an answer and drafts after them. Default: only if it is a single one; several are a prompt. */
  readonly isAnswer?: boolean | undefined
}

export interface OpenOptions extends AbortOptions {
  /** Position that the session will soon reach, for example with the prompt. If opened for less, it must be renewed then. */
  readonly length?: number | undefined
}
