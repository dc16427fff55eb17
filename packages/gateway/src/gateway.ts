import { setTimeout as sleep } from 'node:timers/promises'
import type { KeyStore, SignInStore, UsageStore } from '@petals-chat/access'
import {
  CallSlots,
  type Logger,
  type ModelRegistry,
  noTools,
  type SwarmView,
  type ToolBox,
} from '@petals-chat/engine'
import type { CallerSource } from './access/access.ts'
import { assertBindAllowed, createAccess } from './access/create-access.ts'
import { AnswerStore } from './answers/answer-store.ts'
import { ResponseStore } from './answers/response-store.ts'
import { clientAddressReader, proxyTest } from './client-address.ts'
import type { GatewayConfig } from './config.ts'
import type { GatewayApp, GatewayContext } from './context.ts'
import type { PrometheusMetrics } from './metrics.ts'
import { Limiter } from './limits/limiter.ts'
import { meteredSessions } from './limits/metered-sessions.ts'
import { loadCounters } from './limits/load-counters.ts'
import { ConnectionCap } from './server/connection-cap.ts'
import { prepareDrain } from './server/drain.ts'
import { hostUrl } from './host-address.ts'
import type { Handlers } from './handlers.ts'
import { createHttpServer, listenOn } from './server/http-server.ts'
import { LateHandlers } from './server/late-handlers.ts'
import { isWebSocketUpgrade } from './server/websocket-upgrade.ts'
import { MemoryBudget } from './memory-budget.ts'
import { ShutdownController } from './shutdown.ts'
import { createSessionPool } from './sessions/session-pool.ts'
import { SwarmHistory } from './swarm/swarm-history.ts'
import type { Tracing } from './tracing/tracing.ts'
import { UsageRecorder } from './usage/usage-recorder.ts'

/** Calls of tools that one account runs at a time, whatever route they come from. */
const MAX_CALLS_AT_ONCE = 8

export interface GatewayDependencies {
  readonly registry: ModelRegistry
  readonly logger: Logger
  readonly metrics: PrometheusMetrics
  /** Version of the product. */
  readonly version: string
  /** Folder of the web build. If it is undefined or not built, `/` explains that. */
  readonly webRoot?: string | undefined
  /**
   * The API keys, if the server has some. `server.access.keys` says whether it asks for them; if it does not, and there are
   * no `callers`, every client may do everything.
   */
  readonly keys?: KeyStore | undefined
  /** What identifies callers beside keys, in the order of precedence. */
  readonly callers?: readonly CallerSource[] | undefined
  /** Keeps who is signed in on the page; without one, all sign in again after a restart. */
  readonly signIns?: SignInStore | undefined
  /** Keeps what callers use; without one it is known until the gateway is closed. */
  readonly usage?: Pick<UsageStore, 'add' | 'read'> | undefined
  /** Traces requests (`loadTracing`). The gateway closes it. */
  readonly tracing?: Tracing | undefined
  /** For `GET /api/v1/swarm`; undefined if no model is served by a swarm. */
  readonly swarm?: SwarmView | undefined
  /** What models may call. The caller keeps ownership. */
  readonly tools?: ToolBox | undefined
}

/** HTTP and WebSocket in front of a registry of models. The caller keeps ownership of the registry. */
export interface Gateway extends AsyncDisposable {
  /** All routes, for tests without a port: `app.request('/v1/models')`. */
  readonly app: Pick<GatewayApp, 'fetch' | 'request'>
  /**
   * Makes the routes with all that they need, and resolves to them. Otherwise the first request does, and waits for it: a
   * server should listen before, and begin to load its models.
   */
  prepare(): Promise<GatewayApp>
  /** @throws ListenError that says how to fix the problem. */
  listen(): Promise<{ readonly url: string; readonly port: number }>
  /**
   * Shuts down: accepts no more connections, `/ready` responds with 503, and running answers have `drainMs` (default: the
   * config's) to finish before they end with the error `shutting_down`. Resolves when everything is closed. A further
   * call can only shorten the time.
   */
  close(options?: { readonly drainMs?: number }): Promise<void>
}

/** Time for sessions to close after the last answer has ended: an engine that hangs must not keep the server from ending. */
const CLOSE_SESSIONS_MS = 2_000

/** Builds the gateway. It listens only after `listen()`. */
export function createGateway(config: GatewayConfig, dependencies: GatewayDependencies): Gateway {
  const { registry, logger, metrics, version, swarm } = dependencies
  const shutdown = new ShutdownController()
  const usage = new UsageRecorder({ store: dependencies.usage, metrics, logger })
  const counters = loadCounters(config.limits.store, logger)
  const limiter = new Limiter({ counters, metrics, usage })
  const pool = createSessionPool(config.sessions, { logger, metrics })
  const sessions = meteredSessions(pool, ({ id }) => registry.find(id)?.engine ?? 'unknown')
  const answers = new AnswerStore({ config: config.answers, metrics, shutdown })
  const responses = new ResponseStore(config.responses)
  const swarmHistory = swarm && new SwarmHistory({ swarm, logger })
  const { keys, callers, signIns } = dependencies
  const { access, keyCallers, signIn } = createAccess({ config, keys, callers, signIns, logger })
  const context: GatewayContext = {
    config,
    registry,
    sessions,
    answers,
    responses,
    logger,
    metrics,
    version,
    shutdown,
    budget: meteredBudget(config, metrics),
    limiter,
    tools: dependencies.tools ?? noTools,
    toolCalls: new CallSlots(MAX_CALLS_AT_ONCE),
    usage,
    tracing: dependencies.tracing,
    swarm,
    swarmHistory,
    signIn,
    readClient: clientAddressReader(config.trustedProxies),
    keyCallers,
  }
  const handlers = new LateHandlers<Handlers>(async () => {
    const { createHandlers } = await import('./handlers.ts')
    return createHandlers(context, { access, shutdown, metrics, webRoot: dependencies.webRoot })
  }, logger)
  const connections = new ConnectionCap({
    max: config.maxConnectionsPerClient,
    readClient: context.readClient,
    isProxy: proxyTest(config.trustedProxies),
  })
  const server = createHttpServer(handlers.listener, {
    isUpgrade: (request) => isWebSocketUpgrade(request, config.basePath),
    keepAliveTimeoutMs: config.keepAliveTimeoutMs,
    admits: (incoming, outgoing) => connections.admits(incoming, outgoing),
  })
  connections.watch(server)
  const drain = prepareDrain(server)
  server.on('upgrade', handlers.upgrade)
  let closing: Promise<void> | undefined

  const closeEverything = async (): Promise<void> => {
    await leaveGently()
    await drain(shutdown)
    shutdown.finish()
    handlers.made?.webSockets.close()
    signIn?.[Symbol.dispose]()
    keyCallers?.[Symbol.dispose]()
    await Promise.race([closeSessions(), sleep(CLOSE_SESSIONS_MS, undefined, { ref: false })])
    await usage[Symbol.asyncDispose]()
    await dependencies.tracing?.[Symbol.asyncDispose]()
  }
  const leaveGently = async (): Promise<void> => {
    shutdown.announce()
    if (!server.listening || config.lameDuckMs === 0) return
    await sleep(config.lameDuckMs, undefined, { signal: shutdown.signal, ref: false }).catch(() => {})
  }
  const closeSessions = async (): Promise<void> => {
    await answers[Symbol.asyncDispose]()
    responses[Symbol.dispose]()
    await sessions[Symbol.asyncDispose]()
    await limiter[Symbol.asyncDispose]()
  }
  const close = (drainMs: number): Promise<void> => {
    setTimeout(() => shutdown.finish(), drainMs).unref()
    return (closing ??= closeEverything())
  }

  return {
    app: {
      fetch: async (...args) => (await handlers.get()).app.fetch(...args),
      request: async (...args) => (await handlers.get()).app.request(...args),
    },
    prepare: async () => (await handlers.get()).app,
    async listen() {
      assertBindAllowed(config, access)
      const { port } = await listenOn(server, config.host, config.port)
      swarmHistory?.start(shutdown.drainSignal)
      return { url: hostUrl(config.host, port), port }
    },
    close: ({ drainMs = config.drainTimeoutMs } = {}) => close(drainMs),
    [Symbol.asyncDispose]: () => close(0),
  }
}

function meteredBudget({ maxBufferedBytes }: GatewayConfig, metrics: PrometheusMetrics): MemoryBudget {
  const used = metrics.gauge({
    name: 'petals_chat_buffered_bytes',
    help: 'Bytes of request bodies and WebSocket messages that are held, of server.maxBufferedBytes.',
  })
  used.set(0)
  return new MemoryBudget(maxBufferedBytes, (bytes) => used.set(bytes))
}
