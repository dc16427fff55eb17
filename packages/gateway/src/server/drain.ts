import { once } from 'node:events'
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import type { ShutdownController } from '../shutdown.ts'

/** The interval in which connections are closed whose answers have ended. */
const IDLE_CHECK_MS = 100
/** Time for stopped answers to write their error before their connections are closed. */
const ERROR_WRITE_MS = 1_000

/**
 * Closes the server. It accepts no new connections; running answers may finish until `shutdown.signal` aborts, then have a
 * moment to write their error, then lose their connections. Upgraded connections are awaited, but the code that upgraded
 * them must terminate them.
 */
export type Drain = (shutdown: ShutdownController) => Promise<void>

/** Call this before the server listens, because it has to see every connection. */
export function prepareDrain(server: Server): Drain {
  const unused = trackUnusedSockets(server)
  return async (shutdown) => {
    shutdown.startDraining()
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    for (const socket of unused) socket.destroy()
    // A client keeps its connection after an answer; the server would wait for it until the keep-alive timeout.
    const idle = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS)
    void closed.finally(() => clearInterval(idle))
    await Promise.race([closed, aborted(shutdown.signal)])
    await Promise.race([closed, setTimeout(ERROR_WRITE_MS, undefined, { ref: false })])
    server.closeAllConnections()
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}

/** Tracks connections that have not sent a request. Browsers open some in advance, and Node does not count them as idle. */
function trackUnusedSockets(server: Server): ReadonlySet<Socket> {
  const unused = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    unused.add(socket)
    socket.once('close', () => unused.delete(socket))
  })
  server.on('request', (request) => unused.delete(request.socket))
  server.on('upgrade', (request) => unused.delete(request.socket))
  return unused
}
