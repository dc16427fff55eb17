import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

export interface BodyPace {
  /** Milliseconds from the request's head for which any pace will do. */
  readonly graceMs: number
  /** After the grace, the whole body must have come at this pace. */
  readonly minBytesPerSecond: number
  /** However much came before: this many bytes must have come within the last `graceMs`. */
  readonly minRecentBytes: number
  /** A body that has not ended after this time is refused at any pace. */
  readonly maxMs: number
  readonly checkIntervalMs: number
}

/** Half of the pace of the slowest mobile networks (GPRS), where a connection may also stand still for seconds. */
const BODY_PACE: BodyPace = {
  graceMs: 10_000,
  minBytesPerSecond: 1_000,
  minRecentBytes: 1_000,
  maxMs: 60_000,
  checkIntervalMs: 2_500,
}

interface ArrivingBody {
  /** Milliseconds in which this program could read. */
  waitedMs: number
  /** What the connection had received before. */
  readonly startBytes: number
  /** What had come of the body at the last checks, the latest one last. */
  recent: number[]
  readonly outgoing: ServerResponse
}

/**
 * Refuses bodies that arrive more slowly than any real client sends them (slow-loris): each would occupy a connection for
 * as long as it likes. A body that waits to be read by this program is not at fault: of a time in which the program was
 * busy, only one interval counts.
 * @param refuse answers a request whose response has not begun, and closes its connection.
 */
export function refuseSlowBodies(
  server: Server,
  refuse: (socket: Socket) => void,
  pace: BodyPace = BODY_PACE,
): void {
  const arriving = new Map<IncomingMessage, ArrivingBody>()
  const check = (): void => {
    for (const [incoming, body] of arriving) {
      body.waitedMs += pace.checkIntervalMs
      if (incoming.complete) arriving.delete(incoming)
      else if (isTooSlow(incoming, body, pace)) {
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
    arriving.set(incoming, { waitedMs: 0, startBytes: socket.bytesRead, recent: [], outgoing })
    outgoing.once('close', () => arriving.delete(incoming))
  })
  // What has arrived meanwhile is read before the check.
  const timer = setInterval(() => setImmediate(check), pace.checkIntervalMs)
  timer.unref()
  server.on('close', () => clearInterval(timer))
}

function isTooSlow(incoming: IncomingMessage, body: ArrivingBody, pace: BodyPace): boolean {
  if (body.waitedMs > pace.maxMs) return true
  const received = incoming.socket.bytesRead - body.startBytes
  const before = bytesAgo(body, received, pace)
  // This program has not read yet what came: the client can't send more.
  if (incoming.readableLength > 0) {
    body.recent = []
    return false
  }
  if (body.waitedMs <= pace.graceMs) return false
  return (
    received * 1000 < pace.minBytesPerSecond * body.waitedMs ||
    (before !== undefined && received - before < pace.minRecentBytes)
  )
}

/** Returns what had come `graceMs` ago; undefined if that is not known yet. */
function bytesAgo({ recent }: ArrivingBody, received: number, pace: BodyPace): number | undefined {
  const checks = Math.ceil(pace.graceMs / pace.checkIntervalMs)
  return recent.push(received) > checks ? recent.shift() : undefined
}
