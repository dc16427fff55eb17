import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { HttpBindings } from '@hono/node-server'
import type { Handler } from './send-text.ts'

/** Shorter bodies are read to their end after an answer: no connection need end for what is already on its way. */
const SHORT_BODY_BYTES = 64 * 1024

/** How long a client may take to read an answer that came before the end of its body, and what it may send meanwhile. */
const LINGER_MS = 5_000
const LINGER_BYTES = 64 * 1024 * 1024

/** Says with each answer of `handle` that is given before a long body has come that the connection will be closed. */
export const tellingOfClose =
  (handle: Handler): Handler =>
  async (request, bindings) => {
    const response = await handle(request, bindings)
    const { incoming, outgoing } = bindings as HttpBindings
    if (!incoming.complete && hasLongBody(incoming)) outgoing.setHeader('connection', 'close')
    return response
  }

/** Reports whether a request has a body that is long, or whose length is not known in advance. */
const hasLongBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > SHORT_BODY_BYTES

/**
 * Lets a client read the answer that it gets before it has sent the whole of a long body. Node would close the connection with
 * that answer; the system then resets it, since the client is still sending, and the client may lose the answer.
 */
export function lingerAfterEarlyAnswer(incoming: IncomingMessage): void {
  if (!hasLongBody(incoming)) return
  const { socket } = incoming
  // Node and the adapter of Hono close connections with this.
  socket.destroySoon = () => {
    if (incoming.complete) Socket.prototype.destroySoon.call(socket)
    else if (!socket.writableEnded) linger(incoming)
  }
}

function linger(incoming: IncomingMessage): void {
  const { socket } = incoming
  socket.end()
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('close', () => clearTimeout(timer))
  const lastByte = socket.bytesRead + LINGER_BYTES
  incoming.on('error', () => {})
  incoming.on('data', () => {
    if (socket.bytesRead > lastByte) socket.destroy()
  })
}

/** Reports whether a request came after the last answer of its connection. */
export const cannotBeAnswered = ({ socket }: IncomingMessage): boolean => socket.writableEnded

/**
 * Has clients that ask before they send a body (`Expect: 100-continue`) send it only when it is about to be read: a request that
 * is refused for its headers is refused at once.
 */
export function continueWhenRead(server: Server): void {
  server.on('checkContinue', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const letSend = (event: string | symbol): void => {
      if (event !== 'data' && event !== 'readable') return
      incoming.off('newListener', letSend)
      // After an answer, what comes of the body is only discarded.
      if (!outgoing.headersSent) outgoing.writeContinue()
    }
    incoming.on('newListener', letSend)
    server.emit('request', incoming, outgoing)
  })
}
