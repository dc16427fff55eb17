import type {
  AbortOptions,
  Logger,
  Metrics,
  Model,
  ModelRegistry,
  Session,
  TokenId,
} from '@petals-chat/engine'
import type { Hono } from 'hono'
import type { GatewayConfig } from './config.ts'

/** What every route is given. */
export interface GatewayContext {
  readonly config: GatewayConfig
  readonly registry: ModelRegistry
  readonly sessions: SessionPool
  readonly logger: Logger
  readonly metrics: Metrics
  /** Version of the product, for `/health` and the OpenAPI document. */
  readonly version: string
}

/** Values that the middleware leaves on a request. */
export interface GatewayVariables {
  readonly requestId: string
  /** Bound to `requestId`. */
  readonly logger: Logger
}

export type GatewayApp = Hono<{ Variables: GatewayVariables }>

/** One file of routes. */
export type RouteModule = (context: GatewayContext) => GatewayApp

/** Lends sessions whose KV cache already holds as much of a prompt as possible. */
export interface SessionPool extends AsyncDisposable {
  /**
   * Waits in a bounded, fair queue until a session is free. The lease's session holds a prefix of `tokens` (perhaps
   * none) and nothing else: `session.tokens.length` are cached. Disposing the lease returns the session to the pool.
   * @throws CapacityError when the queue is full, ContextLengthError when `maxLength` is more than the model takes.
   */
  acquire(model: Model, request: AcquireRequest): Promise<SessionLease>
}

export interface AcquireRequest extends AbortOptions {
  readonly tokens: readonly TokenId[]
  readonly maxLength: number
  readonly logger?: Logger | undefined
}

export interface SessionLease extends AsyncDisposable {
  readonly session: Session
  readonly queuedMs: number
}
