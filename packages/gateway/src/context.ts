import type {
  CallSlots,
  AbortOptions,
  Logger,
  Metrics,
  Model,
  ModelRegistry,
  RemoteAnswerOptions,
  RemoteEmbeddingRequest,
  RemoteEmbeddings,
  RemoteEvent,
  RemoteModel,
  Session,
  SwarmView,
  TokenId,
  ToolBox,
} from '@petals-chat/engine'
import type { Hono } from 'hono'
import type { Caller } from './access/caller.ts'
import type { KeyCallers } from './access/key-callers.ts'
import type { SignIn } from './access/sign-in/sign-in.ts'
import type { AnswerReader } from './answer-reader.ts'
import type { AnswerStore } from './answers/answer-store.ts'
import type { ResponseStore } from './answers/response-store.ts'
import type { ClientAddress, ClientAddressReader } from './client-address.ts'
import type { GatewayConfig } from './config.ts'
import type { Allowance } from './limits/allowance.ts'
import type { Limiter } from './limits/limiter.ts'
import type { Quota } from './limits/quota.ts'
import type { MemoryBudget } from './memory-budget.ts'
import type { Shutdown } from './shutdown.ts'
import type { SwarmHistory } from './swarm/swarm-history.ts'
import type { RequestTrace, Tracing } from './tracing/tracing.ts'
import type { UsageRecorder } from './usage/usage-recorder.ts'

/** The dependencies that every route receives. */
export interface GatewayContext {
  readonly config: GatewayConfig
  readonly registry: ModelRegistry
  readonly sessions: SessionPool
  /** Answers that continue for a while without a reader. */
  readonly answers: AnswerStore
  /** Responses of /v1/responses, for a while after their end. */
  readonly responses: ResponseStore
  readonly logger: Logger
  readonly metrics: Metrics
  /** The swarm behind the models, if there is one. */
  readonly swarm?: SwarmView | undefined
  /** Its last hour. */
  readonly swarmHistory?: SwarmHistory | undefined
  /** Version of the product, for `/health` and the OpenAPI document. */
  readonly version: string
  readonly shutdown: Shutdown
  /** How people sign in; undefined on a server that asks for no credentials. */
  readonly signIn?: SignIn | undefined
  /** What bodies and messages that wait to be processed may take. */
  readonly budget: MemoryBudget
  readonly limiter: Limiter
  /** What models may call. */
  readonly tools: ToolBox
  /** How many calls of tools each account runs at a time. */
  readonly toolCalls: CallSlots
  /** What callers have used. */
  readonly usage: UsageRecorder
  /** Undefined: nothing is traced. */
  readonly tracing: Tracing | undefined
  /** Finds the client behind a connection, past the proxies in `server.trustedProxies`. */
  readonly readClient: ClientAddressReader
  /** The API keys, if this server asks for them. */
  readonly keyCallers?: KeyCallers | undefined
}

/** Values that the middleware sets on a request. */
export interface GatewayVariables {
  readonly requestId: string
  /** Bound to `requestId`. */
  readonly logger: Logger
  /** Where the request came from. */
  readonly client: ClientAddress
  /**
   * Aborts when the client has gone (ClientGoneError), the time to drain is over (ShuttingDownError) or the caller's
   * access has ended (AccessRevokedError), also while the body of the response is being streamed. Pass it to everything that takes long.
   */
  readonly signal: AbortSignal
  /** Who sent the request. What the caller makes belongs to `caller.id`. */
  readonly caller: Caller
  /** The name under which the request waits, is limited and finds KV caches again (`accountOf`). */
  readonly account: string
  /** Whose requests count together, and what they may use. */
  readonly quota: Quota
  /** What this request may use; undefined on routes that run no model. */
  readonly allowance: Allowance | undefined
  /** Undefined if the request is not traced. */
  readonly trace: RequestTrace | undefined
}

export type GatewayApp = Hono<{ Variables: GatewayVariables }>

/** Creates the routes of one file. */
export type RouteModule = (context: GatewayContext) => GatewayApp

/** Lends sessions whose KV cache already holds as much of a prompt as possible. */
export interface SessionPool extends AsyncDisposable {
  /**
   * Call this before a prompt is prepared: under overload most requests are refused, and the time that is spent on them is
   * lost for the others.
   * @throws CapacityError if the queue of the model is full, so that a claim to this work would be refused at once
   */
  assertRoom(modelId: string, claim: Claim, work?: ModelWork): void
  /**
   * Waits in a bounded, fair queue until a session is free. The lease's session holds a prefix of `tokens` (perhaps
   * none, never all of them) and nothing else: `session.tokens.length` are cached. Disposing the lease returns the
   * session to the pool. Tokens, time to first token and speed of what runs on it are measured here.
   * @throws CapacityError when the queue is full, ContextLengthError when `maxLength` is more than the model takes.
   */
  acquire(model: Model, request: AcquireRequest): Promise<SessionLease>
  /**
   * Waits, as `acquire` does, until another server may write an answer for this one. Disposing the turn ends it.
   * @throws CapacityError when the queue is full
   */
  enter(model: RemoteModel, request: RemoteTurnRequest): Promise<RemoteTurn>
  /**
   * For a dialogue whose first prompt is not known yet: opens and prewarms a session (`Session.prewarm`) that `acquire`
   * then finds. Does nothing if another client could lose its session. Never throws, because `acquire` tries again.
   */
  prewarm(model: Model, request: PrewarmRequest): Promise<void>
  /** Embeds one text when it is the claim's turn, because an engine uses all of its threads for one. @throws CapacityError */
  embed(model: EmbeddingModel, tokens: readonly TokenId[], claim: Claim): Promise<Float32Array>
  /**
   * Lets another server embed texts, in a turn as `enter` gives it.
   * @throws CapacityError when the queue is full; errors of `RemoteModel.embed`
   */
  embedRemotely(
    model: RemoteEmbeddingModel,
    request: RemoteEmbeddingRequest,
    turn: RemoteEmbeddingTurn,
  ): Promise<RemoteEmbeddings>
  /** Closes the idle sessions that were leased or prewarmed for `owner`. */
  closeOwned(owner: object): Promise<void>
}

/** A claim to a model's time. */
export interface Claim extends AbortOptions {
  /**
   * Whose share of the model's time is used (`GatewayVariables.account`). A session with tokens of another account is never
   * lent. Default: one account.
   */
  readonly account?: string | undefined
  /** What the request may use. Undefined: the gateway itself asks, without limits. */
  readonly allowance?: Allowance | undefined
  /** Undefined: the answer ends with its connection. */
  readonly reader?: AnswerReader | undefined
  /** A part of the request was answered before: it is not refused any more, and waits as long as others have a better claim. */
  readonly isContinued?: boolean | undefined
  /** Called with the place in the queue, from 1, whenever it changes, and with undefined when the turn has come. */
  readonly onPlace?: ((place: number | undefined) => void) | undefined
}

/** What a claim is for: each has a queue of its own. Default: an answer. */
export type ModelWork = 'answer' | 'embedding'

/** A model that returns embeddings. */
export type EmbeddingModel = Model & Required<Pick<Model, 'embed'>>

/** A model of another server that may return embeddings. */
export type RemoteEmbeddingModel = RemoteModel & Required<Pick<RemoteModel, 'embed'>>

export interface AcquireRequest extends Claim {
  readonly tokens: readonly TokenId[]
  /** The greatest length of the prompt and the answer together, in tokens. The lease's session may be longer. */
  readonly maxLength: number
  readonly logger?: Logger | undefined
  /** Keeps the session with its content for this owner alone, until the pool closes it to free space. */
  readonly owner?: object | undefined
}

export interface RemoteTurnRequest extends Claim {
  /** An estimate, until the server has counted. */
  readonly promptTokens: number
  readonly maxNewTokens: number
  readonly logger?: Logger | undefined
}

export type RemoteEmbeddingTurn = Pick<RemoteTurnRequest, keyof Claim | 'promptTokens'> &
  Pick<RemoteAnswerOptions, 'via'>

export interface RemoteTurn extends AsyncDisposable {
  readonly queuedMs: number
  /** Passes the events of the answer on; tokens, time to first token and speed are measured here. */
  watched(events: AsyncIterable<RemoteEvent>): AsyncIterable<RemoteEvent>
}

export type PrewarmRequest = Pick<AcquireRequest, 'account' | 'maxLength' | 'logger'> & {
  readonly owner: object
}

export interface SessionLease extends AsyncDisposable {
  readonly session: Session
  /** Others wait for a session: work that can go on later should give the lease back between two parts. */
  readonly isWanted: boolean
  readonly queuedMs: number
}
