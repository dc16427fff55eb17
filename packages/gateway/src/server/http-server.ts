import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { GatewayError } from '../errors.ts'
import { hostUrl } from '../host-address.ts'
import { ListenError } from '../listen-error.ts'
import { cannotBeAnswered, continueWhenRead, lingerAfterEarlyAnswer } from './early-answers.ts'
import { oneAtATime } from './one-at-a-time.ts'
import { judgeLateHeads } from './late-heads.ts'
import { refuseOnSocket } from './refuse-on-socket.ts'
import { refuseSlowBodies } from './slow-bodies.ts'
import { chooseRequestId } from '../middleware/request-context.ts'

/**
 * Slow clients must not occupy connections: Node's own defaults for headers are 60 s and a check every 30 s. The time starts
 * with the first byte of a request, so it can be shorter than the keep-alive timeout. Bodies have limits of their own
 * (`refuseSlowBodies`): Node would measure the time in which this program does not read, too.
 */
const TIMEOUTS = {
  headersTimeout: 10_000,
  requestTimeout: 0,
  connectionsCheckingInterval: 2_500,
} satisfies ServerOptions

/**
 * How much longer a connection stays open than `Keep-Alive: timeout=` tells its client, so that a request that is already
 * in flight is still answered.
 */
const KEEP_ALIVE_BUFFER_MS = 2_000

/** How long a client may read nothing of a response that has data for it. */
const WRITE_STALL_TIMEOUT_MS = 60_000

export interface HttpServerOptions {
  /** Returns true for upgrades that go to the server's `upgrade` event; others are served as plain requests. */
  readonly isUpgrade: (request: IncomingMessage) => boolean
  readonly keepAliveTimeoutMs: number
  readonly writeStallTimeoutMs?: number
  readonly timeouts?: typeof TIMEOUTS
  /** Answers requests that are too many itself, and returns false for them. Default: none is. */
  readonly admits?: (incoming: IncomingMessage, outgoing: ServerResponse) => boolean
}

/** Node 24.9 and newer call this; other upgrades (`curl --http2`) are then served as plain requests. */
type UpgradeOptions = ServerOptions & {
  readonly shouldUpgradeCallback: (request: IncomingMessage) => boolean
}

/** Creates a server whose requests `listener` answers, those of a connection one after another. */
export function createHttpServer(
  listener: RequestListener,
  {
    isUpgrade,
    keepAliveTimeoutMs,
    writeStallTimeoutMs = WRITE_STALL_TIMEOUT_MS,
    timeouts = TIMEOUTS,
    admits = () => true,
  }: HttpServerOptions,
): Server {
  // The listener below refuses a request without Host, with an explanation.
  const options: UpgradeOptions = {
    ...timeouts,
    keepAliveTimeout: keepAliveTimeoutMs,
    keepAliveTimeoutBuffer: KEEP_ALIVE_BUFFER_MS,
    requireHostHeader: false,
    shouldUpgradeCallback: isUpgrade,
  }
  const answering = new WeakMap<Socket, ServerResponse>()
  const served = new WeakMap<Socket, number>()
  /** Connections of which nothing further can be read: they end with the answer that is being written. */
  const ending = new WeakSet<Socket>()
  const serve = oneAtATime((incoming, outgoing) => {
    if (cannotBeAnswered(incoming)) return
    lingerAfterEarlyAnswer(incoming)
    answering.set(incoming.socket, outgoing)
    outgoing.once('close', () => answering.delete(incoming.socket))
    if (!admits(incoming, outgoing)) return
    supplyHost(incoming)
    listener(incoming, outgoing)
  })
  const server = createServer(options, serve)
  continueWhenRead(server)
  server.on('request', ({ socket }) => served.set(socket, (served.get(socket) ?? 0) + 1))
  server.timeout = writeStallTimeoutMs
  server.on('timeout', (socket) => {
    // The reader is not at fault while the answer is still being generated.
    if (!answering.has(socket) || socket.writableLength > 0) socket.destroy()
  })
  refuseSlowBodies(server, (socket) => refuseLate(socket, 'body'))
  const judgeLateHead = judgeLateHeads({
    requestsOf: (socket) => served.get(socket) ?? 0,
    refuse: (socket) => refuseLate(socket, 'headers'),
    graceMs: timeouts.headersTimeout,
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const answer = answering.get(socket as Socket)
    // Whatever else comes is the same fault again.
    if (ending.has(socket as Socket)) return
    // An error response must not be written into the middle of another answer. That one is still of use: a client that counts
    // characters for bytes sends the end of its body as if it were a request, and learns from the answer that the body was cut.
    if (answer !== undefined && canBeCompleted(answer, error)) {
      ending.add(socket as Socket)
      answer.once('close', () => (socket as Socket).destroySoon())
    } else if (answer?.headersSent || answer?.req.complete) socket.destroy()
    else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') judgeLateHead(socket as Socket)
    else refuseUnparsable(error, socket)
  })
  return server
}

/** Not if the rest of the request can't be read, for which the answer would wait, nor if the client has ended the connection. */
const canBeCompleted = ({ req }: ServerResponse, { code }: NodeJS.ErrnoException): boolean =>
  req.complete && code !== 'HPE_INVALID_EOF_STATE' && code !== 'ECONNRESET'

/**
 * A request of HTTP/1.0 need not name its host, and health checks of load balancers don't: then it is for the address that it
 * came to. Browsers always name it, so this opens nothing to their pages. A request of HTTP/1.1 without it is refused.
 */
function supplyHost({ httpVersion, headers, socket: { localAddress, localPort } }: IncomingMessage): void {
  if (httpVersion !== '1.0' || headers.host || localAddress === undefined) return
  // The name of an interface, as in fe80::1%eth0, has no place in a host.
  headers.host = new URL(hostUrl(localAddress.replace(/%.*$/, ''), localPort!)).host
}

/** @throws ListenError that says how to fix the problem. */
export async function listenOn(server: Server, host: string, port: number): Promise<AddressInfo> {
  try {
    server.listen({ host, port })
    await once(server, 'listening')
  } catch (error) {
    throw listenError(error, host, port)
  }
  return server.address() as AddressInfo
}

function listenError(error: unknown, host: string, port: number): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const where = `port ${port} on ${host}`
  switch (code) {
    case 'EADDRINUSE':
      return new ListenError(
        `Can't listen on ${where}: another program uses it. Stop that program, or choose another server.port (0 selects any free port).`,
        { cause: error },
      )
    case 'EACCES':
      return new ListenError(
        `Can't listen on ${where}: permission denied. Ports below 1024 often need special rights; choose a higher server.port.`,
        { cause: error },
      )
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new ListenError(
        `Can't listen on ${where}: this machine has no such address. Set server.host to an address of this machine, for example 127.0.0.1.`,
        { cause: error },
      )
    case 'EINVAL':
      return new ListenError(
        `Can't listen on ${where}: an address of one link needs the name of its interface. Write it as in fe80::1%eth0.`,
        { cause: error },
      )
    default:
      return error
  }
}

function refuseLate(socket: Socket, what: 'headers' | 'body'): void {
  const verb = what === 'body' ? 'was' : 'were'
  const error = new GatewayError(
    'request_timeout',
    `The ${what} of the request ${verb} sent too slowly. Send it again.`,
  )
  refuseOnSocket(socket, error, { requestId: chooseRequestId(undefined) })
}

/** Refuses a request that Node's parser refused, and that therefore reaches no route. */
function refuseUnparsable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
  refuseOnSocket(socket, parserError(error.code), { requestId: chooseRequestId(undefined) })
}

function parserError(code: string | undefined): GatewayError {
  if (code === 'HPE_HEADER_OVERFLOW')
    return new GatewayError('headers_too_large', 'The headers of the request are too long.')
  return new GatewayError('bad_request', 'The request is not well-formed HTTP.')
}
