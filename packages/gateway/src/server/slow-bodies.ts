import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

export interface BodyPace {
  /** Milliseconds from the request's head for which any pace will do. */
  readonly graceMs: number
  /** After the grace, the whole body must have come at this pace. */
  readonly minBytesPerSecond: number
  readonly checkIntervalMs: number
}

/** Half of the pace of the slowest mobile networks (GPRS). Node's own limit is 60 s for a whole request. */
const BODY_PACE: BodyPace = { graceMs: 10_000, minBytesPerSecond: 1_000, checkIntervalMs: 2_500 }

interface ArrivingBody {
  /** Milliseconds in which this program could read. */
  waitedMs: number
  /** What the connection had received before. */
  readonly startBytes: number
  readonly outgoing: ServerResponse
}

/**
 * Refuses bodies that arrive more slowly than any real client sends them (slow-loris): each would occupy a connection for
 * a minute. A body that waits to be read by this program is not at fault: of a time in which the program was busy, only one
 * interval counts.
 * @param refuse answers a request whose response has not begun, and closes its connection.
 */
export function refuseSlowBodies(
  server: Server,
  refuse: (socket: Socket) => void,
  { graceMs, minBytesPerSecond, checkIntervalMs }: BodyPace = BODY_PACE,
): void {
  const arriving = new Map<IncomingMessage, ArrivingBody>()
  const isTooSlow = (
    incoming: IncomingMessage,
    { waitedMs: elapsedMs, startBytes }: ArrivingBody,
  ): boolean => {
    const received = incoming.socket.bytesRead - startBytes
    return (
      elapsedMs > graceMs && incoming.readableLength === 0 && received * 1000 < minBytesPerSecond * elapsedMs
    )
  }
  const check = (): void => {
    for (const [incoming, body] of arriving) {
      body.waitedMs += checkIntervalMs
      if (incoming.complete) arriving.delete(incoming)
      else if (isTooSlow(incoming, body)) {
        arriving.delete(incoming)
        // A response without the connection waits for another one, whose bytes must not be mixed with a refusal.
        if (body.outgoing.headersSent || body.outgoing.socket === null) incoming.socket.destroy()
        else refuse(incoming.socket)
      }
    }
  }
  server.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const { headers, socket } = incoming
    if (headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0) return
    arriving.set(incoming, { waitedMs: 0, startBytes: socket.bytesRead, outgoing })
    outgoing.once('close', () => arriving.delete(incoming))
  })
  // What has arrived meanwhile is read before the check.
  const timer = setInterval(() => setImmediate(check), checkIntervalMs)
  timer.unref()
  server.on('close', () => clearInterval(timer))
}
