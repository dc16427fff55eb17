import { BlockList, isIP, SocketAddress } from 'node:net'
import { isLoopbackHost } from './host-address.ts'

/** What is known of the client behind a request: from its connection, or from a proxy that is trusted. */
export interface ClientAddress {
  /**
   * An IP address in its shortest form, IPv4 wherever it is one (`::ffff:192.0.2.1` → `192.0.2.1`), without port and zone.
   * `unknown` if the connection has already gone.
   */
  readonly address: string
  /**
   * What one client can change at will counts as one: the address of IPv4, the /64 of IPv6 (`2001:db8:0:1::/64`). Limits
   * and fair queues go by this.
   */
  readonly network: string
  /** The client uses TLS, as a trusted proxy says (`X-Forwarded-Proto: https`). This server has no TLS of its own. */
  readonly secure: boolean
}

/** A connection with the headers that proxies set. */
export interface ProxiedRequest {
  readonly remoteAddress: string | undefined
  /** `X-Forwarded-For`; several headers are joined by commas, as Node and `Headers` do. */
  readonly forwardedFor: string | undefined
  /** `X-Forwarded-Proto`. */
  readonly forwardedProto: string | undefined
}

/** Finds the client behind a request. */
export type ClientAddressReader = (request: ProxiedRequest) => ClientAddress

const UNKNOWN: ClientAddress = { address: 'unknown', network: 'unknown', secure: false }

/** Names for networks in `server.trustedProxies`. */
const NAMED_NETWORKS: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1'],
  private: [
    '127.0.0.0/8',
    '::1',
    '10.0.0.0/8',
    '172.16.0.0/12',
    '192.168.0.0/16',
    '169.254.0.0/16',
    'fc00::/7',
    'fe80::/10',
  ],
}

/** Reports whether `server.trustedProxies` may have this: an IP address, a network in CIDR notation, or a name. */
export const isProxyNetwork = (text: string): boolean =>
  Object.hasOwn(NAMED_NETWORKS, text) || parseNetwork(text) !== undefined

/**
 * Returns a reader of client addresses that believes these proxies. Only `X-Forwarded-For` is read, from its right end,
 * where each proxy appends the address that connected to it: the first address that is no trusted proxy is the client.
 * What stands further left came from the client, and says nothing. `Forwarded` and `X-Real-IP` are ignored, because
 * proxies that set another header hand those on as the client wrote them.
 */
export function clientAddressReader(trustedProxies: readonly string[]): ClientAddressReader {
  const isTrusted = addressTest(trustedProxies)
  const peerOf = remembered((remoteAddress) => {
    const address = parseAddress(remoteAddress)
    if (address === undefined) return undefined
    return { client: clientAddress(address, false), isProxy: isTrusted(address) }
  })
  return ({ remoteAddress, forwardedFor, forwardedProto }) => {
    const peer = peerOf(remoteAddress)
    if (peer === undefined) return UNKNOWN
    const { client, isProxy } = peer
    if (!isProxy) return client
    return clientAddress(nearestClient(client.address, forwardedFor, isTrusted), isHttps(forwardedProto))
  }
}

/** Returns a function that reports whether the other end of a connection is one of these proxies. */
export function proxyTest(trustedProxies: readonly string[]): (remoteAddress: string | undefined) => boolean {
  const isTrusted = addressTest(trustedProxies)
  return remembered((remoteAddress) => {
    const address = parseAddress(remoteAddress)
    return address !== undefined && isTrusted(address)
  })
}

/** Other ends of connections about which the answer is kept. */
const MAX_REMEMBERED = 1_000

/** Keeps the answers of `read` for the addresses that ask most: each of their requests asks several times. */
function remembered<Result>(
  read: (remoteAddress: string | undefined) => Result,
): (remoteAddress: string | undefined) => Result {
  const known = new Map<string | undefined, Result>()
  return (remoteAddress) => {
    if (known.has(remoteAddress)) return known.get(remoteAddress)!
    const result = read(remoteAddress)
    if (known.size >= MAX_REMEMBERED) known.clear()
    known.set(remoteAddress, result)
    return result
  }
}

function addressTest(networks: readonly string[]): (address: string) => boolean {
  const list = networksOf(networks)
  return (address) => list.check(address, familyOf(address))
}

/** Returns the field of a log line that names a client. This machine needs no mention. */
export function loggedClient({ address }: ClientAddress): { readonly client?: string } {
  return address === UNKNOWN.address || isLoopbackHost(address) ? {} : { client: address }
}

/** Goes from the server towards the client until an address that is no trusted proxy, or is none that can be read. */
function nearestClient(
  proxy: string,
  forwardedFor: string | undefined,
  isTrusted: (address: string) => boolean,
): string {
  let nearest = proxy
  for (const entry of forwardedFor?.split(',').reverse() ?? []) {
    const address = parseAddress(entry)
    if (address === undefined) return nearest
    nearest = address
    if (!isTrusted(address)) return address
  }
  return nearest
}

/** The last proxy's word counts: it appends to the header or replaces it. */
const isHttps = (forwardedProto: string | undefined): boolean =>
  forwardedProto?.split(',').at(-1)?.trim().toLowerCase() === 'https'

function clientAddress(address: string, secure: boolean): ClientAddress {
  return { address, network: networkOf(address), secure }
}

function networkOf(address: string): string {
  if (isIP(address) === 4) return address
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const missing = tail === undefined ? 0 : 8 - groups.length - after.length
  const all = [...groups, ...Array<string>(missing).fill('0'), ...after]
  return `${new SocketAddress({ address: `${all.slice(0, 4).join(':')}::`, family: 'ipv6' }).address}/64`
}

/** Reads `192.0.2.1`, `192.0.2.1:8080`, `2001:db8::1`, `[2001:db8::1]:8080` and addresses in quotes or with a zone. */
function parseAddress(text: string | undefined): string | undefined {
  const bare = text
    ?.trim()
    .replace(/^"(.*)"$/, '$1')
    .replace(/^\[([^\]]*)\](?::\d+)?$/, '$1')
    .replace(/^([\d.]+):\d+$/, '$1')
    .replace(/%.*$/, '')
  if (bare === undefined || isIP(bare) === 0) return undefined
  const address = new SocketAddress({ address: bare, family: familyOf(bare) }).address
  return /^::ffff:([\d.]+)$/.exec(address)?.[1] ?? address
}

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4')

interface Network {
  readonly address: string
  readonly prefix: number
  readonly family: 'ipv4' | 'ipv6'
}

/** A prefix of 0 is refused: every client could then choose its address. */
function parseNetwork(text: string): Network | undefined {
  const [, address = '', length] = /^([0-9a-fA-F.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  if (isIP(address) === 0) return undefined
  const family = familyOf(address)
  const bits = family === 'ipv4' ? 32 : 128
  const prefix = length === undefined ? bits : Number(length)
  return prefix >= 1 && prefix <= bits ? { address, prefix, family } : undefined
}

function networksOf(trustedProxies: readonly string[]): BlockList {
  const list = new BlockList()
  for (const text of trustedProxies.flatMap((name) => NAMED_NETWORKS[name] ?? [name])) {
    const network = parseNetwork(text)
    if (network === undefined) throw new RangeError(`'${text}' is neither an IP address nor a network.`)
    list.addSubnet(network.address, network.prefix, network.family)
  }
  return list
}
