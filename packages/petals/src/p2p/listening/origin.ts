import type { Multiaddr } from '@multiformats/multiaddr'

/**
 * Where a connection comes from: an IPv4 address, or the first 64 bits of an IPv6 address, for a host owns at least a network
 * of that size. Undefined through a relay: that is not known then.
 */
export function originOf(address: Multiaddr): string | undefined {
  const parts = address.getComponents()
  if (parts.some(({ name }) => name === 'p2p-circuit')) return undefined
  const ip = parts.find(({ name }) => name === 'ip4' || name === 'ip6')
  return ip?.name === 'ip6' ? networkOf(ip.value ?? '') : ip?.value
}

/** An IPv4 address in the form of IPv6. */
const mapped = /^::ffff:[^:]+(:[^:]+)?$/i

/** The first four of the eight groups: `2001:db8::1` leaves out as many zeros as are missing. */
function networkOf(ip6: string): string {
  if (mapped.test(ip6)) return ip6
  const [before = '', after] = ip6.split('::')
  const groups = before === '' ? [] : before.split(':')
  const missing = after === undefined ? 0 : 8 - groups.length - (after === '' ? 0 : after.split(':').length)
  const all = [...groups, ...Array<string>(Math.max(0, missing)).fill('0'), ...(after ?? '').split(':')]
  return all
    .slice(0, 4)
    .map((group) => parseInt(group, 16).toString(16))
    .join(':')
}
