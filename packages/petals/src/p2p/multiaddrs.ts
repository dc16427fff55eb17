import { CODE_P2P, multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { peerIdFromText, type PeerId } from './peer-id.ts'

/** Addresses of one initial peer. Its id is not known if the addresses don't carry it (`/dnsaddr`). */
export interface InitialPeer {
  readonly peer: PeerId | undefined
  readonly multiaddrs: readonly Multiaddr[]
}

/** @throws TypeError that names the text which is not an address. */
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

/** Addresses of the same peer together: they are tried one after the other, those of different peers at once. */
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

/** The peer that an address leads to; for one through a relay that is the last id. */
function peerOf(address: Multiaddr): PeerId | undefined {
  const id = address.getComponents().findLast(({ code }) => code === CODE_P2P)?.value
  return id === undefined ? undefined : peerIdFromText(id)
}
