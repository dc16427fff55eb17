import { isIP } from 'node:net'
import { hostname } from 'node:os'
import type { MiddlewareHandler } from 'hono'
import type { GatewayConfig } from '../config.ts'
import { GatewayError } from '../errors.ts'
import { isLoopbackHost } from '../host-address.ts'

/**
 * The names of the host machine inside containers. ICANN reserved .internal for private use in 2024, so no public web page
 * can have such a name.
 */
const CONTAINER_HOSTS: readonly string[] = ['host.docker.internal', 'host.containers.internal']

/**
 * Refuses requests whose Host header names another server. A foreign page can point its own name at this machine
 * (DNS rebinding) and would then count as same-origin; it can't do that with an IP address or a loopback name.
 */
export function trustedHost(config: GatewayConfig): MiddlewareHandler {
  return async (c, next) => {
    assertTrustedHost(config, c.req.header('host') ?? new URL(c.req.url).host)
    await next()
  }
}

type HostConfig = Pick<GatewayConfig, 'host' | 'trustedHosts'>

/** @throws GatewayError `forbidden_host` that says how to trust the host. */
export function assertTrustedHost(config: HostConfig, hostHeader: string): void {
  if (!isTrustedHost(config, hostHeader)) throw untrustedHostError(hostHeader)
}

function isTrustedHost(config: HostConfig, hostHeader: string): boolean {
  const name = hostName(hostHeader)
  if (name === undefined) return false
  if (isIP(name) !== 0 || isLoopbackHost(name)) return true
  const own = [config.host, ...config.trustedHosts, ...CONTAINER_HOSTS, ...machineNames(hostname())]
  return own.some((trusted) => trusted === '*' || hostName(trusted) === name)
}

/**
 * Returns the names of a machine in its local network: the first label alone, and with .local. Neither is in the public
 * DNS, so no public web page has it. An attacker who can forge it in the local network could impersonate this server
 * anyway. The full name is not trusted by itself: a DHCP server may have set it to a domain of its own.
 */
export function machineNames(machine: string): readonly string[] {
  const [first = ''] = machine.toLowerCase().split('.')
  return first === '' ? [] : [first, `${first}.local`]
}

function untrustedHostError(host: string): GatewayError {
  const shown = host.slice(0, 100)
  const name = hostName(host)
  const isName = name !== undefined && /^[a-z0-9._-]+$/.test(name)
  const toTrust = isName ? ` ${name.slice(0, 100)}` : ''
  return new GatewayError(
    'forbidden_host',
    `This server does not accept the host name '${shown}'. To accept it, start the server with --trusted-host${toTrust} ` +
      '(variable: PETALS_CHAT_TRUSTED_HOSTS, configuration: server.trustedHosts).',
  )
}

/** Returns the name in `name:port` in lower case, without the brackets of an IPv6 address and the final dot of a DNS name. */
function hostName(hostHeader: string): string | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::\d{1,5})?$/.exec(hostHeader.trim())
  return (match?.[1] ?? match?.[2])?.toLowerCase().replace(/\.$/, '')
}
