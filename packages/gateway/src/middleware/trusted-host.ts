import { isIP } from 'node:net'
import type { MiddlewareHandler } from 'hono'
import type { GatewayConfig } from '../config.ts'
import { GatewayError } from '../errors.ts'

/**
 * Refuses requests whose Host header names another server. A foreign page can point a name of its own at this machine
 * (DNS rebinding) and would then count as same-origin; it can't do that with an IP address or a loopback name.
 */
export function trustedHost(config: GatewayConfig): MiddlewareHandler {
  return async (c, next) => {
    const host = c.req.header('host') ?? new URL(c.req.url).host
    if (!isTrustedHost(config, host)) throw untrustedHostError(host)
    await next()
  }
}

export function isTrustedHost(
  config: Pick<GatewayConfig, 'host' | 'trustedHosts'>,
  hostHeader: string,
): boolean {
  const name = hostName(hostHeader)
  if (name === undefined) return false
  if (isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost')) return true
  return [config.host, ...config.trustedHosts].some(
    (trusted) => trusted === '*' || trusted.toLowerCase() === name,
  )
}

export function untrustedHostError(host: string): GatewayError {
  return new GatewayError(
    'forbidden_host',
    `This server is not known as '${host.slice(0, 100)}'. If it should be, add the name to server.trustedHosts.`,
  )
}

/** The name in `name:port`, lower case; without the brackets of an IPv6 address and the dot of a full name. */
function hostName(hostHeader: string): string | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::\d{1,5})?$/.exec(hostHeader.trim())
  return (match?.[1] ?? match?.[2])?.toLowerCase().replace(/\.$/, '')
}
