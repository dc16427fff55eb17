import { isIP } from 'node:net'
import { hostname } from 'node:os'
import type { MiddlewareHandler } from 'hono'
import type { GatewayConfig } from '../config.ts'
import { GatewayError } from '../errors.ts'

/**
 * How containers call the machine that they run on. Names below .internal are sold to nobody (ICANN, 2024), so no page of
 * the web can have one.
 */
const CONTAINER_HOSTS: readonly string[] = ['host.docker.internal', 'host.containers.internal']

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
  const own = [config.host, ...config.trustedHosts, ...CONTAINER_HOSTS, ...machineNames(hostname())]
  return own.some((trusted) => trusted === '*' || hostName(trusted) === name)
}

/**
 * What neighbours call a machine of this name: its first part alone, or below .local. Neither is a name of the public
 * DNS, so no page of the web has it; who can lie about it in the local network could answer in this server's place
 * anyway. The full name is not trusted by itself: a DHCP server may have set it to a domain of its own.
 */
export function machineNames(machine: string): readonly string[] {
  const [first = ''] = machine.toLowerCase().split('.')
  return first === '' ? [] : [first, `${first}.local`]
}

export function untrustedHostError(host: string): GatewayError {
  const shown = host.slice(0, 100)
  const name = hostName(host)
  const isName = name !== undefined && /^[a-z0-9._-]+$/.test(name)
  const toTrust = isName ? ` ${name.slice(0, 100)}` : ''
  return new GatewayError(
    'forbidden_host',
    `This server is not known as '${shown}'. If it should be, start it with --trusted-host${toTrust} ` +
      '(variable: PETALS_CHAT_TRUSTED_HOSTS, configuration: server.trustedHosts).',
  )
}

/** The name in `name:port`, lower case; without the brackets of an IPv6 address and the dot of a full name. */
function hostName(hostHeader: string): string | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::\d{1,5})?$/.exec(hostHeader.trim())
  return (match?.[1] ?? match?.[2])?.toLowerCase().replace(/\.$/, '')
}
