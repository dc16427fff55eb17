import { CODE_P2P, multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { peerIdFromText, type PeerId } from './peer-id.ts'

/** The addresses of one initial peer. Its id is unknown if the addresses don't contain it (`/dnsaddr`). */
export interface InitialPeer {
  readonly peer: PeerId | undefined
  readonly multiaddrs: readonly Multiaddr[]
}

/** Parses a multiaddr. @throws TypeError that quotes a text that is not one */
export function parseAddress(text: string): Multiaddr {
  try {
    return multiaddr(text)
  } catch (cause) {
    const example = '/ip4/203.0.113.7/tcp/31337/p2p/Qm…'
    throw new TypeError(`'${text}' is not a peer's address (multiaddr). It should look like ${example}.`, {
      cause,
    })
  }
}

/** Longest address that is read: relays and all, a real one has some hundred bytes. Reading takes time with the length. */
const maxAddressBytes = 512

/** Reads an address that a peer sent; undefined if it is too long or of a protocol that this version of libp2p does not know. */
export function readAddress(bytes: Uint8Array): Multiaddr | undefined {
  if (bytes.byteLength > maxAddressBytes) return undefined
  try {
    return multiaddr(bytes)
  } catch {
    return undefined
  }
}

/** Groups addresses by peer: the addresses of one peer are dialled one after another, different peers at the same time. */
export function groupByPeer(addresses: readonly string[]): readonly InitialPeer[] {
  const groups = new Map<string, { readonly peer: PeerId | undefined; readonly multiaddrs: Multiaddr[] }>()
  for (const text of addresses) {
    const address = parseAddress(text)
    const peer = peerOf(address)
    const key = peer ?? text
    const group = groups.get(key) ?? { peer, multiaddrs: [] }
    group.multiaddrs.push(address)
    groups.set(key, group)
  }
  return [...groups.values()]
}

/** Returns the peer that an address leads to: the last id of the address, because a relay's id comes before it. */
export function peerOf(address: Multiaddr): PeerId | undefined {
  const id = address.getComponents().findLast(({ code }) => code === CODE_P2P)?.value
  return id === undefined ? undefined : peerIdFromText(id)
}
