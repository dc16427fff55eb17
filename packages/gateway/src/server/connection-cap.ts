import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { ClientAddressReader } from '../client-address.ts'
import { describeError, errorHeaders, openAIErrorBody } from '../error-response.ts'
import { RateLimitError } from '../errors.ts'
import { isLoopbackHost } from '../host-address.ts'
import { chooseRequestId } from '../middleware/request-context.ts'
import { ClientCap } from './client-cap.ts'
import { refuseOnSocket } from './refuse-on-socket.ts'

export interface ConnectionCapOptions {
  /** Connections of one client address. */
  readonly max: number
  readonly readClient: ClientAddressReader
  /** The other end of a connection is a proxy that is trusted: its connections are those of many clients. */
  readonly isProxy: (remoteAddress: string | undefined) => boolean
}

const RETRY_AFTER_MS = 1_000

/** The error of a client that has too much open. Programs of this machine have no cap: they could stop it anyway. */
export const tooManyOpen = (max: number, what: string, key?: string): RateLimitError =>
  new RateLimitError(
    `You have ${max} ${what} open, and this server allows no more for one client${key === undefined ? '' : ` (${key})`}. ` +
      'Close some, then try again.',
    RETRY_AFTER_MS,
  )

/**
 * Bounds the connections of one client address. Behind a trusted proxy, which shares its connections between its clients,
 * the requests that run count instead, by the address that the proxy has forwarded.
 */
export class ConnectionCap {
  readonly #options: ConnectionCapOptions
  readonly #connections: ClientCap
  readonly #requests: ClientCap

  constructor(options: ConnectionCapOptions) {
    this.#options = options
    this.#connections = new ClientCap(options.max)
    this.#requests = new ClientCap(options.max)
  }

  /** Refuses connections before they have sent anything. */
  watch(server: Server): void {
    server.on('connection', (socket: Socket) => {
      const { remoteAddress } = socket
      if (this.#options.isProxy(remoteAddress)) return
      const client = this.#options.readClient({
        remoteAddress,
        forwardedFor: undefined,
        forwardedProto: undefined,
      })
      if (isLoopbackHost(client.address)) return
      const close = this.#connections.tryOpen(client.network)
      if (close === undefined) this.#refuseConnection(socket)
      else socket.once('close', close)
    })
  }

  /** Returns false for a request of too many, which is then answered. */
  admits({ socket, headers }: IncomingMessage, outgoing: ServerResponse): boolean {
    const { remoteAddress } = socket
    if (!this.#options.isProxy(remoteAddress)) return true
    const client = this.#options.readClient({
      remoteAddress,
      forwardedFor: joined(headers['x-forwarded-for']),
      forwardedProto: undefined,
    })
    if (isLoopbackHost(client.address)) return true
    const close = this.#requests.tryOpen(client.network)
    if (close === undefined) return this.#refuseRequest(outgoing)
    outgoing.once('close', close)
    return true
  }

  #refuseConnection(socket: Socket): void {
    refuseOnSocket(socket, this.#refusal('connections'), { requestId: chooseRequestId(undefined) })
  }

  #refuseRequest(outgoing: ServerResponse): false {
    const requestId = chooseRequestId(undefined)
    const description = describeError(this.#refusal('requests'), requestId)
    const headers = {
      connection: 'close',
      'content-type': 'application/json',
      'x-request-id': requestId,
      ...errorHeaders(description),
    }
    outgoing.writeHead(description.status, headers).end(JSON.stringify(openAIErrorBody(description)))
    return false
  }

  #refusal(what: string): RateLimitError {
    return tooManyOpen(this.#options.max, what, 'server.maxConnectionsPerClient')
  }
}

const joined = (header: string | readonly string[] | undefined): string | undefined =>
  typeof header === 'string' ? header : header?.join(',')
