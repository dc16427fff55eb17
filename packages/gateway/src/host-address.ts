import { BlockList, isIP } from 'node:net'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4') // also as ::ffff:127.0.0.1
loopback.addAddress('::1', 'ipv6')

/** Returns an address or name to listen on without the brackets of a URL: `[::1]` → `::1`. */
export const bareHost = (host: string): string => /^\[(.*)\]$/.exec(host.trim())?.[1] ?? host.trim()

/** Reports whether only this machine can reach a server that listens there, however the address is written. */
export function isLoopbackHost(host: string): boolean {
  const name = bareHost(host).toLowerCase().replace(/\.$/, '')
  const family = isIP(name)
  if (family === 0) return name === 'localhost' || name.endsWith('.localhost')
  return loopback.check(name.replace(/%.*$/, ''), family === 6 ? 'ipv6' : 'ipv4')
}

/** Returns the URL of a server that listens there. */
export function hostUrl(host: string, port: number): string {
  const bare = bareHost(host)
  return `http://${isIP(bare) === 6 ? `[${bare}]` : bare}:${port}`
}
