import { once } from 'node:events'
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import type { ShutdownController } from '../shutdown.ts'

/** How often connections are looked for whose answer has ended meanwhile. */
const IDLE_LOOK_MS = 100
/** Time for cut answers to write their error before their connections are closed. */
const LAST_WORDS_MS = 1_000

/**
 * Closes the server: no new connections; what runs may finish until `shutdown.signal` aborts, then gets a moment to say
 * so, then is cut. Upgraded connections are waited for, but their owner cuts them.
 */
export type Drain = (shutdown: ShutdownController) => Promise<void>

/** To be called before the server listens: it has to see every connection. */
export function prepareDrain(server: Server): Drain {
  const unused = trackUnusedSockets(server)
  return async (shutdown) => {
    shutdown.startDraining()
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    for (const socket of unused) socket.destroy()
    // A client keeps its connection after an answer; the server would wait for it as long as the keep-alive says.
    const idle = setInterval(() => server.closeIdleConnections(), IDLE_LOOK_MS)
    void closed.finally(() => clearInterval(idle))
    await Promise.race([closed, aborted(shutdown.signal)])
    await Promise.race([closed, setTimeout(LAST_WORDS_MS, undefined, { ref: false })])
    server.closeAllConnections()
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}

/** Connections that have not sent a request, as browsers open them ahead: Node does not count them as idle. */
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
