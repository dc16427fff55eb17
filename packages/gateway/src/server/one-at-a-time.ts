import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Requests that may wait on one connection. Browsers and OpenAI's clients send the next one after the answer; tools that
 * measure servers send some in advance.
 */
const MAX_WAITING = 32

interface WaitingRequest {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
}

/**
 * Serves the requests of each connection one after the other. Node calls its listener for all requests that a client has sent
 * in advance (HTTP pipelining), and keeps their responses in memory until the client has read those before: a few kilobytes
 * of requests would make gigabytes of responses, also for a client that has gone. A connection with more than 32 waiting
 * requests is closed.
 */
export function oneAtATime(listener: RequestListener): RequestListener {
  const waiting = new WeakMap<Socket, WaitingRequest[]>()
  const serve = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    outgoing.once('close', () => serveNext(incoming.socket))
    listener(incoming, outgoing)
  }
  const serveNext = (socket: Socket): void => {
    const next = waiting.get(socket)?.shift()
    // A response that has no connection when it is its turn never gets one: the connection ends.
    if (next === undefined || next.outgoing.socket === null) waiting.delete(socket)
    else serve(next.incoming, next.outgoing)
  }
  return (incoming, outgoing) => {
    const { socket } = incoming
    if (outgoing.socket !== null) return serve(incoming, outgoing)
    const queue = waiting.get(socket) ?? []
    if (socket.destroyed || queue.length >= MAX_WAITING) return void socket.destroy()
    waiting.set(socket, [...queue, { incoming, outgoing }])
  }
}
