import type { Span } from '../blocks/spans.ts'
import type { PeerId } from '../p2p/peer-id.ts'

/** What a server was asked, and what it answered: enough for another server to do the same. */
export interface Evidence {
  /** As the server announced itself when it answered. */
  readonly span: Span
  /** The first position of `outputs`. */
  readonly from: number
  /** The most tokens that the session would have held. */
  readonly maxLength: number
  /** Inputs of its first block from position 0 on, [tokens, hidden]. */
  readonly inputs: Float32Array
  /** Outputs of its last block from position `from` up to the last input. */
  readonly outputs: Float32Array
  /** The server that sent the inputs itself: it may have sent others than it reported. */
  readonly pushedBy: PeerId | undefined
}

/** The open route of a session, to one that watches its steps. */
export interface ObservedRoute {
  /** Tokens that were run through the whole route. */
  readonly position: number
  /** The most tokens that the session will ever hold. */
  readonly maxLength: number
  readonly spans: readonly Span[]
  /** Copies what the server of hop `index` was sent and answered up to position `end`; undefined if that is not known. */
  evidence(index: number, end: number): Evidence | undefined
  /** `OpenRoute.usedOutputs` */
  usedOutputs(index: number, start: number, end: number): Float32Array | undefined
}

/** What another server computed from the inputs of a hop, beside the server that was used. */
export interface SecondAnswer {
  readonly span: Span
  /** The first position of `outputs`. */
  readonly from: number
  /** [tokens, hidden] */
  readonly outputs: Float32Array
}

/** Watches the steps of all sessions of a model. */
export interface StepObserver {
  /** Called after each step, which ran `tokens` through all hops. It must neither block nor throw. */
  stepped(route: ObservedRoute, tokens: number): void
  /** Called when a standby of hop `index` has computed what was computed before. It must neither block nor throw. */
  doubled(route: ObservedRoute, index: number, answer: SecondAnswer): void
}
