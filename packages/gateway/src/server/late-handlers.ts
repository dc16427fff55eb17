import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Logger } from '@petals-chat/engine'
import { chooseRequestId } from '../middleware/request-context.ts'
import { refuseOnSocket } from './refuse-on-socket.ts'

/** What answers the events `request` and `upgrade` of a server. */
export interface RequestHandlers {
  readonly listener: RequestListener
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
}

/** Handlers that are made when they are first needed. Requests that come before wait for them. */
export class LateHandlers<Handlers extends RequestHandlers> {
  readonly #make: () => Promise<Handlers>
  readonly #logger: Logger
  #making: Promise<Handlers> | undefined
  #made: Handlers | undefined

  constructor(make: () => Promise<Handlers>, logger: Logger) {
    this.#make = make
    this.#logger = logger
  }

  /** The handlers, if they are made. */
  get made(): Handlers | undefined {
    return this.#made
  }

  /** Makes the handlers, once. After a failure the next call tries again. */
  get(): Promise<Handlers> {
    return (this.#making ??= this.#make().then(
      (made) => (this.#made = made),
      (error: unknown) => {
        this.#making = undefined
        throw error
      },
    ))
  }

  /** Lets the handlers answer a request. */
  readonly listener = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    if (this.#made) return void this.#made.listener(incoming, outgoing)
    this.get().then(
      // The handlers would learn from an event that the client has gone, which was before they listened.
      ({ listener }) => void (outgoing.destroyed || listener(incoming, outgoing)),
      (error: unknown) => this.#refuse(incoming.socket, error),
    )
  }

  /** Lets the handlers answer a request for a WebSocket. */
  readonly upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (this.#made) return this.#made.upgrade(request, socket, head)
    // Node listens to a connection no more that it has given away. One that fails has nothing to be told.
    const ignore = (): void => {}
    socket.on('error', ignore)
    this.get().then(
      (handlers) => {
        socket.off('error', ignore)
        if (!socket.destroyed) handlers.upgrade(request, socket, head)
      },
      (error: unknown) => this.#refuse(socket, error),
    )
  }

  #refuse(socket: Duplex, err: unknown): void {
    const requestId = chooseRequestId(undefined)
    this.#logger.error({ err, requestId }, 'the routes could not be made')
    refuseOnSocket(socket, err, { requestId })
  }
}
