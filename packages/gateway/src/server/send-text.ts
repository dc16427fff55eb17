import type { ServerResponse } from 'node:http'
import type { Http2Bindings, HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { ClientGoneError } from '../errors.ts'
import { type TextSink, textSourceOf } from '../text-body.ts'

/** What the adapter of Hono calls. */
export type Handler = (
  request: Request,
  bindings: HttpBindings | Http2Bindings,
) => Response | Promise<Response>

/**
 * Sends the responses of `handle` whose text is made piece by piece. The adapter of Hono sends all others: it would hold the
 * first piece back for a timer, to see whether a second one comes, and each piece for a turn of the event loop.
 */
export const sendingText =
  (handle: Handler): Handler =>
  async (request, bindings) => {
    const response = await handle(request, bindings)
    const source = textSourceOf(response)
    if (source === undefined) return response
    const outgoing = bindings.outgoing as ServerResponse
    outgoing.setHeaders(response.headers)
    outgoing.writeHead(response.status)
    const leave = () => {
      if (!outgoing.writableFinished) void source.cancel(new ClientGoneError())
    }
    if (outgoing.destroyed) leave()
    else outgoing.once('close', leave).on('error', leave)
    void source.sendTo(new ResponseSink(outgoing))
    return RESPONSE_ALREADY_SENT
  }

/**
 * Writes the first text of a turn of the event loop at once; Node gathers what follows in the same turn. The first text of all
 * waits for the end of its turn: most APIs begin with an event that has no words yet, and the one with the first word follows
 * at once.
 */
class ResponseSink implements TextSink {
  readonly #outgoing: ServerResponse
  #hasWritten = false
  #isFlushed = false

  constructor(outgoing: ServerResponse) {
    this.#outgoing = outgoing
    // The first text is mostly here, and then goes with the headers.
    process.nextTick(() => {
      if (!this.#hasWritten) outgoing.flushHeaders()
    })
  }

  send(text: string): boolean {
    const outgoing = this.#outgoing
    if (this.#isFlushed) return outgoing.write(text)
    this.#isFlushed = true
    process.nextTick(() => (this.#isFlushed = false))
    if (!this.#hasWritten) {
      this.#hasWritten = true
      return outgoing.write(text)
    }
    // Otherwise Node would wait until all that this text sets off has run.
    const { socket } = outgoing
    socket?.cork()
    const hasSpace = outgoing.write(text)
    socket?.uncork()
    return hasSpace
  }

  async drained(): Promise<void> {
    const outgoing = this.#outgoing
    if (outgoing.destroyed) return
    const { promise, resolve } = Promise.withResolvers<void>()
    outgoing.once('drain', resolve).once('close', resolve)
    await promise
    outgoing.off('drain', resolve).off('close', resolve)
  }

  end(): void {
    this.#outgoing.end()
  }

  fail(error: unknown): void {
    // What was sent in this turn still waits for its end.
    this.#outgoing.uncork()
    this.#outgoing.destroy(error as Error)
  }
}
