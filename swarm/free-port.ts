import { once } from 'node:events'
import { createServer } from 'node:net'

/** @throws Error that names the flag which helps, if another program listens on this port. */
export async function assertPortFree(port: number, flag: string): Promise<void> {
  const server = createServer()
  try {
    server.listen({ host: '127.0.0.1', port })
    await once(server, 'listening')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    const reason = code === 'EADDRINUSE' ? 'is used by another program' : `can't be used (${String(code)})`
    const other = port < 65_535 ? port + 1 : port - 1
    throw new Error(`Port ${port} ${reason}. Choose another one, for example: ${flag} ${other}`, {
      cause: error,
    })
  } finally {
    server.close()
  }
}
