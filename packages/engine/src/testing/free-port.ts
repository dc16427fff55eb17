import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Below the ports that Linux (32768 to 60999), macOS and Windows (from 49152) give to outgoing connections and to
 * `listen(0)`. A port of theirs that is free now can be taken before the caller listens on it.
 */
const firstPort = 20_000
const lastPort = 32_767

/** Returns a TCP port of loopback that is free now, and that no outgoing connection takes. */
export async function freePort(): Promise<number> {
  const port = randomInt(firstPort, lastPort + 1)
  return (await isFree(port)) ? port : freePort()
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening')
  } catch {
    return false
  }
  await once(server.close(), 'close')
  return true
}
