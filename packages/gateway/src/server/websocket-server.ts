import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Gauge, Logger } from '@petals-chat/engine'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Access } from '../access/access.ts'
import { accountOf, type Caller } from '../access/caller.ts'
import { KEY_PROTOCOL } from '../access/presented-key.ts'
import { routeScope } from '../access/route-scope.ts'
import { type ClientAddress, loggedClient } from '../client-address.ts'
import type { GatewayContext } from '../context.ts'
import { describeError, errorHeaders, legacyErrorBody } from '../error-response.ts'
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
import { respondOnSocket } from './http-server.ts'
import { JsonSocket } from './json-socket.ts'
import { originOf } from '../request-origin.ts'
import { routedPath } from '../request-path.ts'
import type { ShutdownController } from '../shutdown.ts'

/** The close code of a server that has no room now (RFC 6455's registry). */
const TRY_AGAIN_LATER = 1013

/** Milliseconds that a client has to read why its socket is closed. */
const CLOSE_MS = 500

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
type Opening = Pick<
  WebSocketConnection,
  'requestId' | 'client' | 'isSameOrigin' | 'caller' | 'account' | 'quota'
>

/** The bounds of one message. */
export interface MessageLimits {
  readonly maxMessageBytes: number
  /** A fragment of one byte takes this process some hundred. Real clients send a message in one piece, or in pieces of some kB. */
  readonly maxFragments?: number
}

const MAX_FRAGMENTS = 1_024

/** Network packets that an incomplete frame may come in: those of 1 kB of the greatest message, or slow ones. */
const MAX_BUFFERED_CHUNKS = 16_384

/** What a packet that is kept takes beside its bytes. */
const CHUNK_OVERHEAD_BYTES = 128

/** Two bytes and the mask, in front of a ping or pong of a client. */
const CONTROL_HEADER_BYTES = 6

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
  readonly #connections: Gauge
  #pings: NodeJS.Timeout | undefined

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
    this.#routes = new Map(routes.map((route) => [route.path, route]))
    this.#connections = context.metrics.gauge({
      name: 'petals_chat_websocket_connections',
      help: 'Open WebSockets.',
    })
    this.#server = createWebSocketServer({ maxMessageBytes: context.config.maxBodyBytes })
    this.#server.on('headers', (headers, request) => {
      headers.push(`x-request-id: ${this.#requestIds.get(request) ?? ''}`)
    })
    this.#server.on('wsClientError', (error, socket, request) => {
      const refusal = new GatewayError('bad_request', `${error.message}.`, { cause: error })
      this.#refuse(socket, refusal, this.#requestIds.get(request) ?? '')
    })
  }

  isUpgrade(request: IncomingMessage): boolean {
    return request.headers.upgrade?.toLowerCase() === 'websocket' && this.#routes.has(this.#pathOf(request))
  }

  #pathOf(request: IncomingMessage): string {
    return routedPath(pathOf(request), this.#context.config.basePath)
  }

  attach(server: Server): void {
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
    this.#pings = setInterval(() => this.#ping(), this.#context.config.webSocketPingIntervalMs)
    this.#pings.unref()
  }

  /** Terminates the sockets that are still open. */
  close(): void {
    clearInterval(this.#pings)
    for (const socket of this.#server.clients) socket.terminate()
    this.#server.close()
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const requestId = chooseRequestId(headerOf(request, 'x-request-id'))
    this.#requestIds.set(request, requestId)
    const origin = originOf((name) => headerOf(request, name))
    const client = this.#clientOf(request)
    try {
      const route = this.#routes.get(this.#pathOf(request))
      if (route === undefined || !this.isUpgrade(request)) throw notAWebSocketError(request)
      assertTrustedHost(this.#context.config, origin.host ?? '')
      assertOriginAllowed(this.#context.config, route.path, origin)
      const caller = this.#authorize(request, client, route.path)
      const account = accountOf(caller, client)
      const quota = quotaOf(caller, account, this.#context.config.limits)
      const isSameOrigin = isPageRequest((name) => headerOf(request, name), caller)
      const opening = { requestId, client, isSameOrigin, caller, account, quota }
      this.#countOpen(opening, socket)
      this.#server.handleUpgrade(request, socket, head, (webSocket) => {
        this.#countIncomplete(webSocket, request.socket)
        void this.#serve(route, webSocket, opening)
      })
    } catch (error) {
      this.#refuse(socket, error, requestId)
    }
  }

  /** @throws RateLimitError if the client has as many open as it may. */
  #countOpen({ account, client }: Opening, socket: Duplex): void {
    if (isAddressAccount(account) && isLoopbackHost(client.address)) return
    const close = this.#open.tryOpen(account)
    const { maxWebSocketsPerClient: max } = this.#context.config
    if (close === undefined) throw tooManyOpen(max, 'WebSockets', 'server.maxWebSocketsPerClient')
    socket.once('close', close)
  }

  #clientOf(request: IncomingMessage): ClientAddress {
    return this.#context.readClient({
      remoteAddress: request.socket.remoteAddress,
      forwardedFor: headerOf(request, 'x-forwarded-for'),
      forwardedProto: headerOf(request, 'x-forwarded-proto'),
    })
  }

  #authorize(request: IncomingMessage, client: ClientAddress, path: string): Caller {
    const { remoteAddress } = request.socket
    const header = (name: string) => headerOf(request, name)
    return this.#access.authorize({ header, client, remoteAddress }, routeScope([path]))
  }

  #refuse(socket: Duplex, error: unknown, requestId: string): void {
    const description = describeError(error, requestId)
    const { status, code } = description
    this.#context.logger.info({ requestId, status, code }, 'WebSocket refused')
    const line = `${status} ${STATUS_CODES[status]}`
    respondOnSocket(socket, line, requestId, legacyErrorBody(description), errorHeaders(description))
  }

  async #serve(route: WebSocketRoute, webSocket: WebSocket, opening: Opening): Promise<void> {
    const startedAt = performance.now()
    const logger = this.#context.logger.child({ requestId: opening.requestId })
    logger.info({ route: route.path, ...loggedClient(opening.client) }, 'WebSocket opened')
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
    const { signal, drainSignal } = this.#shutdown
    const socket = new JsonSocket(webSocket, this.#context.budget, signal, opening.caller.signal)
    closeAfter(webSocket, opening.caller.signal)
    await route.serve({ ...opening, socket, drainSignal, logger })
  }

  /** A message takes its share of the budget while it arrives, too. */
  #countIncomplete(webSocket: WebSocket, socket: Socket): void {
    const reservation = this.#context.budget.open()
    let chunk = { length: 0, control: 0 }
    // Before ws, whose `message` event ends the count.
    socket.prependListener('data', ({ length }: Buffer) => {
      chunk = { length, control: 0 }
      if (reservation.tryGrow(length + CHUNK_OVERHEAD_BYTES)) return
      webSocket.close(TRY_AGAIN_LATER)
      // What is on its way would not be counted.
      webSocket.pause()
      terminateSoon(webSocket)
    })
    const restart = () => reservation[Symbol.dispose]()
    // A chunk of nothing but pings and pongs is no part of a message: an idle socket would count them for ever.
    const uncount = ({ length }: Buffer) => {
      chunk.control += length + CONTROL_HEADER_BYTES
      if (chunk.control === chunk.length) reservation.shrink(chunk.length + CHUNK_OVERHEAD_BYTES)
    }
    webSocket.on('ping', uncount)
    webSocket.on('pong', uncount)
    webSocket.on('message', restart)
    socket.once('close', restart)
  }

  /** Pings all sockets, by one timer. A client that has not answered the last ping is gone, even if no close event came. */
  #ping(): void {
    for (const socket of this.#server.clients) {
      if (!this.#answered.delete(socket)) socket.terminate()
      else socket.ping()
    }
  }
}

function terminateSoon(webSocket: WebSocket): void {
  setTimeout(() => webSocket.terminate(), CLOSE_MS).unref()
}

/** Ends a socket whose caller's access has ended, also if the client does not answer the close frame. */
function closeAfter(webSocket: WebSocket, signal: AbortSignal): void {
  const close = () => terminateSoon(webSocket)
  signal.addEventListener('abort', close, { once: true })
  webSocket.on('close', () => signal.removeEventListener('abort', close))
}

function pathOf(request: IncomingMessage): string {
  return request.url?.split('?', 1)[0] ?? ''
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value[0] : value
}

function notAWebSocketError(request: IncomingMessage): GatewayError {
  return new GatewayError('unknown_url', `No WebSocket is served at ${pathOf(request).slice(0, 200)}.`)
}
