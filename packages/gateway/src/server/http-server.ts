import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerOptions } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import type { GatewayApp } from '../context.ts'
import { describeError, openAIErrorBody } from '../error-response.ts'
import { GatewayError } from '../errors.ts'
import { chooseRequestId } from '../middleware/request-context.ts'

/**
 * Slow clients must not hold connections: Node's own defaults are 60 s, 300 s and checks every 30 s. Both count from the
 * first byte of a request, so they may be shorter than the time that a connection without one stays open.
 */
const TIMEOUTS = {
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  connectionsCheckingInterval: 5_000,
} satisfies ServerOptions

/**
 * How much longer a connection really stays open than `Keep-Alive: timeout=` tells its client: a request that was on its
 * way at that moment is still answered.
 */
const KEEP_ALIVE_BUFFER_MS = 2_000

/** How long a client may take nothing of a response that waits for it, whatever the response is. */
const WRITE_STALL_TIMEOUT_MS = 60_000

export interface HttpServerOptions {
  /** Upgrades that go to the server's `upgrade` event; others are served as plain requests. */
  readonly isUpgrade: (request: IncomingMessage) => boolean
  readonly keepAliveTimeoutMs: number
  readonly writeStallTimeoutMs?: number
}

/** Node 24.9 and newer ask this; upgrades to anything else (`curl --http2`) are then served as plain requests. */
type UpgradeOptions = ServerOptions & {
  readonly shouldUpgradeCallback: (request: IncomingMessage) => boolean
}

/** A server that answers by `app`. */
export function createHttpServer(
  app: GatewayApp,
  { isUpgrade, keepAliveTimeoutMs, writeStallTimeoutMs = WRITE_STALL_TIMEOUT_MS }: HttpServerOptions,
): Server {
  // A request without Host is refused by the listener below, in words.
  const options: UpgradeOptions = {
    ...TIMEOUTS,
    keepAliveTimeout: keepAliveTimeoutMs,
    keepAliveTimeoutBuffer: KEEP_ALIVE_BUFFER_MS,
    requireHostHeader: false,
    shouldUpgradeCallback: isUpgrade,
  }
  const listener = getRequestListener(app.fetch, {
    // A library has no business replacing the process's Request and Response.
    overrideGlobalObjects: false,
    errorHandler: malformedRequestResponse,
  })
  const answering = new WeakSet<Socket>()
  const server = createServer(options, (incoming, outgoing) => {
    answering.add(incoming.socket)
    outgoing.once('close', () => answering.delete(incoming.socket))
    void listener(incoming, outgoing)
  })
  server.timeout = writeStallTimeoutMs
  server.on('timeout', (socket) => {
    // An answer that is still being made is no fault of its reader.
    if (!answering.has(socket) || socket.writableLength > 0) socket.destroy()
  })
  server.on('clientError', (error, socket) => {
    // Nothing may be written into the middle of another answer.
    if (answering.has(socket as Socket)) socket.destroy()
    else refuseUnparsable(error, socket)
  })
  return server
}

/** Writes a response on a connection that no route will see, and closes it. */
export function answerBareSocket(socket: Duplex, status: string, requestId: string, body: object): void {
  const text = JSON.stringify(body)
  socket.on('error', () => socket.destroy())
  socket.end(
    `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\n` +
      `x-request-id: ${requestId}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
    () => socket.destroy(),
  )
}

/** @throws ListenError that says what to do. */
export async function listenOn(server: Server, host: string, port: number): Promise<AddressInfo> {
  try {
    server.listen({ host, port })
    await once(server, 'listening')
  } catch (error) {
    throw listenError(error, host, port)
  }
  return server.address() as AddressInfo
}

/** The server can't listen on the configured address. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
}

function listenError(error: unknown, host: string, port: number): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const where = `port ${port} on ${host}`
  switch (code) {
    case 'EADDRINUSE':
      return new ListenError(
        `Can't listen on ${where}: another program uses it. Stop that program, or choose another server.port (0 takes any free one).`,
        { cause: error },
      )
    case 'EACCES':
      return new ListenError(
        `Can't listen on ${where}: this user may not. Ports below 1024 often need special rights; choose a higher server.port.`,
        { cause: error },
      )
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new ListenError(
        `Can't listen on ${where}: this machine has no such address. Set server.host to one of its own, for example 127.0.0.1.`,
        { cause: error },
      )
    default:
      return error
  }
}

/** The adapter can't make a Request of it: a Host header or a URL that is none. */
function malformedRequestResponse(error: unknown): Response {
  const reason = error instanceof Error ? error.message : 'unknown'
  const message = `The request line or the Host header is not well-formed: ${reason}.`
  const requestId = chooseRequestId(undefined)
  const description = describeError(new GatewayError('bad_request', message), requestId)
  return Response.json(openAIErrorBody(description), {
    status: description.status,
    headers: { 'x-request-id': requestId },
  })
}

const PARSER_STATUS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

/** What Node's parser refuses never reaches a route. */
function refuseUnparsable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy()
  const status = PARSER_STATUS[error.code ?? ''] ?? '400 Bad Request'
  const requestId = chooseRequestId(undefined)
  const description = describeError(new GatewayError('bad_request', `${status.slice(4)}.`), requestId)
  answerBareSocket(socket, status, requestId, openAIErrorBody(description))
}
