import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Gauge, Logger } from '@petals-chat/engine'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Access, CallerRequest } from '../access/access.ts'
import { accountOf, type Caller } from '../access/caller.ts'
import { KEY_PROTOCOL } from '../access/presented-key.ts'
import { routeScope } from '../access/route-scope.ts'
import { type ClientAddress, loggedClient } from '../client-address.ts'
import type { GatewayContext } from '../context.ts'
import { legacyErrorBody } from '../error-response.ts'
import { GatewayError } from '../errors.ts'
import { isAddressAccount } from '../address-account.ts'
import { isLoopbackHost } from '../host-address.ts'
import { type Quota, quotaOf } from '../limits/quota.ts'
import { assertOriginAllowed } from '../middleware/origin-policy.ts'
import { isPageRequest } from '../middleware/page-request.ts'
import { chooseRequestId } from '../middleware/request-context.ts'
import { assertTrustedHost } from '../middleware/trusted-host.ts'
import { ClientCap } from './client-cap.ts'
import { tooManyOpen } from './connection-cap.ts'
import { countIncomplete } from './count-incomplete.ts'
import { JsonSocket } from './json-socket.ts'
import { KeylessSockets } from './keyless-sockets.ts'
import { refuseOnSocket } from './refuse-on-socket.ts'
import { refuseOnWebSocket, terminateSoon } from './refuse-on-websocket.ts'
import { originOf } from '../request-origin.ts'
import type { ShutdownController } from '../shutdown.ts'
import { isWebSocketUpgrade, requestedPath, upgradePath } from './websocket-upgrade.ts'

/** One open WebSocket, as its route uses it. */
export interface WebSocketConnection {
  readonly socket: JsonSocket
  /** Aborts when the server starts to shut down: connections that are idle then end. */
  readonly drainSignal: AbortSignal
  /** A page of this server opened it. */
  readonly isSameOrigin: boolean
  /** Who opened it. The socket's signal aborts when the caller's access ends. */
  readonly caller: Caller
  readonly account: string
  readonly quota: Quota
  readonly requestId: string
  readonly logger: Logger
  readonly client: ClientAddress
}

export interface WebSocketRoute {
  readonly path: string
  /** Exchanges messages with the client until one side closes the socket. Never throws. */
  serve(connection: WebSocketConnection): Promise<void>
}

/** What the upgrade request tells of a connection. */
interface Upgrade extends Pick<WebSocketConnection, 'requestId' | 'client'> {
  readonly route: WebSocketRoute
  readonly request: IncomingMessage
}

/** Who is at the other end of a connection. */
type Opening = Pick<WebSocketConnection, 'isSameOrigin' | 'caller' | 'account' | 'quota'>

/** The bounds of one message. */
export interface MessageLimits {
  readonly maxMessageBytes: number
  /** A fragment of one byte takes this process some hundred. Real clients send a message in one piece, or in pieces of some kB. */
  readonly maxFragments?: number
}

const MAX_FRAGMENTS = 1_024

/** Network packets that an incomplete frame may come in: those of 1 kB of the greatest message, or slow ones. */
const MAX_BUFFERED_CHUNKS = 16_384

/** Creates the protocol side of all WebSockets. `npm run bench:autobahn` tests it. */
export const createWebSocketServer = ({
  maxMessageBytes,
  maxFragments = MAX_FRAGMENTS,
}: MessageLimits): WebSocketServer =>
  new WebSocketServer({
    noServer: true,
    // Compression would cost about 300 kB per socket and time per token, and save a few bytes per token.
    perMessageDeflate: false,
    clientTracking: true,
    maxPayload: maxMessageBytes,
    maxFragments,
    maxBufferedChunks: MAX_BUFFERED_CHUNKS,
    handleProtocols: (offered) => [...offered].find((name) => !name.startsWith(KEY_PROTOCOL)) ?? false,
  })

/** The WebSockets of the gateway: upgrades, pings, logs and metrics. */
export class GatewayWebSockets {
  readonly #context: GatewayContext
  readonly #access: Access
  readonly #shutdown: ShutdownController
  readonly #routes: ReadonlyMap<string, WebSocketRoute>
  readonly #server: WebSocketServer
  readonly #requestIds = new WeakMap<IncomingMessage, string>()
  readonly #answered = new WeakSet<WebSocket>()
  readonly #open: ClientCap
  readonly #keyless: KeylessSockets
  readonly #connections: Gauge
  readonly #pings: NodeJS.Timeout

  constructor(
    context: GatewayContext,
    access: Access,
    shutdown: ShutdownController,
    routes: readonly WebSocketRoute[],
  ) {
    this.#context = context
    this.#access = access
    this.#shutdown = shutdown
    this.#open = new ClientCap(context.config.maxWebSocketsPerClient)
    this.#keyless = new KeylessSockets(shutdown.drainSignal)
    this.#routes = new Map(routes.map((route) => [route.path, route]))
    this.#connections = context.metrics.gauge({
      name: 'petals_chat_websocket_connections',
      help: 'Open WebSockets.',
    })
    this.#server = createWebSocketServer({ maxMessageBytes: context.config.maxBodyBytes })
    this.#pings = setInterval(() => this.#ping(), context.config.webSocketPingIntervalMs)
    this.#pings.unref()
    this.#server.on('headers', (headers, request) => {
      headers.push(`x-request-id: ${this.#requestIds.get(request) ?? ''}`)
    })
    this.#server.on('wsClientError', (error, socket, request) => {
      const refusal = new GatewayError('bad_request', `${error.message}.`, { cause: error })
      this.#refuse(socket, refusal, this.#requestIds.get(request) ?? '')
    })
  }

  /** Terminates the sockets that are still open. */
  close(): void {
    clearInterval(this.#pings)
    for (const socket of this.#server.clients) socket.terminate()
    this.#server.close()
  }

  /** Serves a request for a WebSocket, or refuses it. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const requestId = chooseRequestId(headerOf(request, 'x-request-id'))
    this.#requestIds.set(request, requestId)
    const origin = originOf((name) => headerOf(request, name))
    const client = this.#clientOf(request)
    try {
      const { basePath } = this.#context.config
      const route = this.#routes.get(upgradePath(request, basePath))
      if (route === undefined || !isWebSocketUpgrade(request, basePath)) throw notAWebSocketError(request)
      assertTrustedHost(this.#context.config, origin.host ?? '')
      assertOriginAllowed(this.#context.config, route.path, origin)
      const upgrade = { requestId, client, route, request }
      const caller = this.#access.authorizeIfPresent(callerRequestOf(upgrade), routeScope([route.path]))
      const opening = caller && this.#admit(caller, upgrade)
      if (opening === undefined) this.#keyless.admit(client, socket)
      this.#server.handleUpgrade(request, socket, head, (webSocket) => {
        countIncomplete(webSocket, request.socket, this.#context.budget)
        this.#watch(webSocket, upgrade)
        if (opening !== undefined) void this.#serve(webSocket, upgrade, opening)
        else this.#awaitKey(webSocket, upgrade)
      })
    } catch (error) {
      this.#refuse(socket, error, requestId)
    }
  }

  /** @throws RateLimitError if the caller has as many open as it may. */
  #admit(caller: Caller, { request, client }: Upgrade): Opening {
    const account = accountOf(caller, client)
    const quota = quotaOf(caller, account, this.#context.config.limits)
    const isSameOrigin = isPageRequest((name) => headerOf(request, name), caller)
    this.#countOpen(account, client, request.socket)
    return { isSameOrigin, caller, account, quota }
  }

  #countOpen(account: string, client: ClientAddress, socket: Duplex): void {
    if (isAddressAccount(account) && isLoopbackHost(client.address)) return
    const close = this.#open.tryOpen(account)
    const { maxWebSocketsPerClient: max } = this.#context.config
    if (close === undefined) throw tooManyOpen(max, 'WebSockets', 'server.maxWebSocketsPerClient')
    socket.once('close', close)
  }

  /** Serves a socket once its first message has shown a key that counts. */
  #awaitKey(webSocket: WebSocket, upgrade: Upgrade): void {
    this.#keyless.awaitKey(webSocket, upgrade.request.socket, {
      take: (key, first) => {
        const request = { ...callerRequestOf(upgrade), header: keyHeader(key) }
        const caller = this.#access.authorize(request, routeScope([upgrade.route.path]))
        void this.#serve(webSocket, upgrade, this.#admit(caller, upgrade), first)
      },
      refuse: (error) => {
        const { status, code } = refuseOnWebSocket(webSocket, error, upgrade.requestId)
        this.#context.logger.info({ requestId: upgrade.requestId, status, code }, 'WebSocket refused')
      },
    })
  }

  #clientOf(request: IncomingMessage): ClientAddress {
    return this.#context.readClient({
      remoteAddress: request.socket.remoteAddress,
      forwardedFor: headerOf(request, 'x-forwarded-for'),
      forwardedProto: headerOf(request, 'x-forwarded-proto'),
    })
  }

  #refuse(socket: Duplex, error: unknown, requestId: string): void {
    const { status, code } = refuseOnSocket(socket, error, { requestId, body: legacyErrorBody })
    this.#context.logger.info({ requestId, status, code }, 'WebSocket refused')
  }

  #watch(webSocket: WebSocket, { route, client, requestId }: Upgrade): void {
    const startedAt = performance.now()
    const logger = this.#context.logger.child({ requestId })
    logger.info({ route: route.path, ...loggedClient(client) }, 'WebSocket opened')
    // ws disconnects a client that violates the protocol; the close event follows.
    webSocket.on('error', (error) => {
      logger.info({ err: error }, 'WebSocket failed')
      terminateSoon(webSocket)
    })
    this.#connections.set(this.#server.clients.size)
    webSocket.on('close', (code) => {
      this.#connections.set(this.#server.clients.size)
      logger.info(
        { route: route.path, code, ms: Math.round(performance.now() - startedAt) },
        'WebSocket closed',
      )
    })
    this.#answered.add(webSocket)
    webSocket.on('pong', () => this.#answered.add(webSocket))
  }

  /** @param first the message that has arrived already. */
  async #serve(
    webSocket: WebSocket,
    { route, client, requestId }: Upgrade,
    opening: Opening,
    first?: string,
  ): Promise<void> {
    const logger = this.#context.logger.child({ requestId })
    const { signal, drainSignal } = this.#shutdown
    const socket = new JsonSocket(webSocket, this.#context.budget, signal, opening.caller.signal)
    if (first !== undefined) socket.keep(first)
    closeAfter(webSocket, opening.caller.signal)
    await route.serve({ ...opening, requestId, client, socket, drainSignal, logger })
  }

  /** Pings all sockets, by one timer. A client that has not answered the last ping is gone, even if no close event came. */
  #ping(): void {
    for (const socket of this.#server.clients) {
      if (!this.#answered.delete(socket)) socket.terminate()
      else socket.ping()
    }
  }
}

/** Ends a socket whose caller's access has ended, also if the client does not answer the close frame. */
function closeAfter(webSocket: WebSocket, signal: AbortSignal): void {
  const close = () => terminateSoon(webSocket)
  signal.addEventListener('abort', close, { once: true })
  webSocket.on('close', () => signal.removeEventListener('abort', close))
}

/** The part of an upgrade that says who sent it. */
const callerRequestOf = ({ request, client }: Upgrade): CallerRequest => ({
  header: (name) => headerOf(request, name),
  client,
  remoteAddress: request.socket.remoteAddress,
})

/** A key that came in a message counts as if a header had had it. */
const keyHeader =
  (key: string): CallerRequest['header'] =>
  (name) =>
    name === 'authorization' ? `Bearer ${key}` : undefined

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value[0] : value
}

function notAWebSocketError(request: IncomingMessage): GatewayError {
  return new GatewayError('unknown_url', `No WebSocket is served at ${requestedPath(request).slice(0, 200)}.`)
}
