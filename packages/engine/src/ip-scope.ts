import { BlockList, isIP } from 'node:net'

/**
 * From where an IP address can be reached: `global` from anywhere, `overlay` from an overlay network that anyone can join,
 * `private` within a network, `link` on one link of it, `loopback` on this machine only. `special` is everything else, where
 * no honest server is: cloud metadata services, multicast, documentation, and forms of IPv6 that contain an IPv4 address.
 */
export type IpScope = 'global' | 'overlay' | 'private' | 'link' | 'loopback' | 'special'

type Subnet = readonly [network: string, prefix: number]

const listOf = (...subnets: readonly Subnet[]): BlockList => {
  const list = new BlockList()
  for (const [network, prefix] of subnets)
    list.addSubnet(network, prefix, isIP(network) === 6 ? 'ipv6' : 'ipv4')
  return list
}

/** The first list counts. What is in none of them is special in IPv6 and global in IPv4 (IANA's registries). */
const scopes: readonly (readonly [IpScope, BlockList])[] = [
  [
    'special', // services of clouds for their machines, which give away credentials
    listOf(
      ['169.254.169.0', 24],
      ['169.254.170.0', 24],
      ['100.100.100.200', 32],
      ['168.63.129.16', 32],
      ['fd00:ec2::254', 128],
      ['fd20:ce::254', 128],
    ),
  ],
  ['loopback', listOf(['127.0.0.0', 8], ['::1', 128])],
  // The shared space of 100.64.0.0/10 is also what overlay networks such as Tailscale use.
  [
    'private',
    listOf(['10.0.0.0', 8], ['172.16.0.0', 12], ['192.168.0.0', 16], ['100.64.0.0', 10], ['fc00::', 7]),
  ],
  ['link', listOf(['169.254.0.0', 16], ['fe80::', 10])],
  ['overlay', listOf(['200::', 7])], // Yggdrasil
  [
    'special',
    listOf(
      ['0.0.0.0', 8],
      ['192.0.0.0', 24],
      ['192.0.2.0', 24],
      ['192.88.99.0', 24],
      ['198.18.0.0', 15],
      ['198.51.100.0', 24],
      ['203.0.113.0', 24],
      ['224.0.0.0', 3],
      ['2001::', 23],
      ['2001:db8::', 32],
      ['2002::', 16],
      ['3fff::', 20],
    ),
  ],
  ['global', listOf(['0.0.0.0', 0], ['2000::', 3])],
]

/** Node checks IPv4 addresses in IPv6 form against the rules of IPv4. They are refused instead: no name and no server needs one. */
const mapped = /^(0*:)*:?ffff:/i

/** Returns the scope of an address in its usual text form; undefined if the text is no IP address. */
export function ipScope(address: string): IpScope | undefined {
  const family = isIP(address)
  if (family === 0) return undefined
  if (family === 6 && mapped.test(address)) return 'special'
  const type = family === 6 ? 'ipv6' : 'ipv4'
  return scopes.find(([, list]) => list.check(address, type))?.[0] ?? 'special'
}
