import { once } from 'node:events'
import { createServer } from 'node:net'
import { hostUrl } from '@petals-chat/gateway/config'
import type { Config } from '../config/schema.ts'
import { findWebRoot } from '../serve/web-root.ts'
import { failure, ok, warning, type Check, type CheckResult } from './check.ts'

export const portCheck: Check = {
  name: 'Port',
  run: ({ config }) => checkPort(config.server),
}

export async function checkPort({
  host,
  port,
}: Pick<Config['server'], 'host' | 'port'>): Promise<CheckResult> {
  const server = createServer()
  try {
    server.listen({ host, port })
    await once(server, 'listening')
    return ok(port === 0 ? 'any free port will be used' : `port ${port} on ${host} is free`)
  } catch (error) {
    return describePortError(error, host, port)
  } finally {
    server.close()
  }
}

async function describePortError(error: unknown, host: string, port: number): Promise<CheckResult> {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
  if (code === 'EADDRINUSE') {
    if (await isPetalsChat(host, port))
      return ok(`port ${port} on ${host} is in use by a running petals-chat`)
    return failure(
      `port ${port} on ${host} is in use by another program`,
      `Choose another one: --port ${port + 1}`,
    )
  }
  if (code === 'EACCES') {
    return failure(`this user may not listen on port ${port}`, 'Choose a port of 1024 or above: --port 5000')
  }
  return failure(
    `nothing can listen on ${host}:${port} (${code})`,
    'Set --host to an address of this machine, for example 127.0.0.1',
  )
}

/** Returns whether the server on the port is a petals-chat: it reports its status and version. */
async function isPetalsChat(host: string, port: number): Promise<boolean> {
  try {
    const response = await fetch(`${hostUrl(host, port)}/healthz`, { signal: AbortSignal.timeout(1000) })
    const body = (await response.json()) as Readonly<Record<string, unknown>>
    return typeof body.version === 'string' && body.status === 'ok'
  } catch {
    return false
  }
}

export const webCheck: Check = {
  name: 'Chat page',
  run: async () =>
    findWebRoot() === undefined
      ? warning('the chat page is not built: only the APIs will answer', 'Build it: npm run build:web')
      : ok('the chat page is built'),
}
