import type { Socket } from 'node:net'

export interface LateHeads {
  /** How many requests of the connection have begun so far. */
  readonly requestsOf: (socket: Socket) => number
  readonly refuse: (socket: Socket) => void
  /** Milliseconds for a head of which a part has come meanwhile. */
  readonly graceMs: number
}

/**
 * Returns what to do when the headers of a request have not come in time. Node measures the time even while this program was
 * too busy to read them: then the client is not at fault, and is served.
 */
export function judgeLateHeads({ requestsOf, refuse, graceMs }: LateHeads): (socket: Socket) => void {
  return (socket) => {
    const { bytesRead } = socket
    const requests = requestsOf(socket)
    const refuseUnlessServed = () => {
      if (!socket.destroyed && requestsOf(socket) === requests) refuse(socket)
    }
    // What lies in the system's buffer is read before that.
    setImmediate(() => {
      if (socket.bytesRead === bytesRead) return refuseUnlessServed()
      // Node does not measure again before the next request.
      const timer = setTimeout(refuseUnlessServed, graceMs).unref()
      socket.once('close', () => clearTimeout(timer))
    })
  }
}
