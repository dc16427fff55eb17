import type { Libp2p } from '@libp2p/interface'
import {
  decodeKadRequest,
  encodeCloserPeers,
  kadMessages,
  kadProtocol,
  type KadPeer,
} from '../../wire/kad.ts'
import { lengthPrefixed, readLengthPrefixed } from '../../wire/varint.ts'
import { ConnectionLostError } from '../../errors.ts'
import { peerIdBytes, peerIdFromBytes, type PeerId } from '../peer-id.ts'
import type { ByteStream } from '../swarm-transport.ts'
import { kadKey, xorKeys } from '../kad-peer-routing.ts'

/** Requests are some dozen bytes long; the longest that other nodes send (PUT_VALUE) has some kilobytes. */
const maxRequestBytes = 16 * 1024
/** Peers and addresses of each in one answer: Kademlia's bucket has 20. */
const maxPeers = 20
const maxAddresses = 16
/** Requests on one stream: a node keeps its stream open and asks again and again. */
const maxRequests = 1000
const idleMs = 120_000

export { kadProtocol }

/**
 * Answers libp2p's Kademlia DHT (`/ipfs/kad/1.0.0`), by which nodes of a swarm find the addresses of a peer. It keeps no
 * routing table: it names the peers that this node is connected to, the nearest first, and the wanted one if it knows it.
 * Nothing is stored: values and providers are what other networks use that DHT for.
 */
export async function answerKad(node: Libp2p, stream: ByteStream, remote: PeerId): Promise<void> {
  for (let i = 0; i < maxRequests; i++) {
    const request = await nextRequest(stream)
    if (!request) return
    const { type, key } = decodeKadRequest(request)
    const closer = type === kadMessages.ping ? [] : await closestPeers(node, key, remote)
    await stream.write(lengthPrefixed(encodeCloserPeers(closer, type)), {
      signal: AbortSignal.timeout(idleMs),
    })
  }
}

/** Returns undefined when the other side ends the stream. */
async function nextRequest(stream: ByteStream): Promise<Uint8Array | undefined> {
  const signal = AbortSignal.timeout(idleMs)
  try {
    return await readLengthPrefixed((length) => stream.read(length, { signal }), maxRequestBytes)
  } catch (error) {
    if (signal.aborted || (error instanceof ConnectionLostError && error.clean)) return undefined
    throw error
  }
}

async function closestPeers(node: Libp2p, key: Uint8Array, remote: PeerId): Promise<readonly KadPeer[]> {
  const target = peerIdFromBytes(key)
  const own = node.peerId.toString() as PeerId
  const connected = node.getPeers().map((peer) => peer.toString() as PeerId)
  const nearest = target ? byDistance(connected, target) : connected
  // Another node's table takes a node only if it names itself when it is asked for itself.
  const names = target === own ? [own, ...nearest] : nearest
  const others = names.filter((peer) => peer !== remote).slice(0, maxPeers)
  const peers = await Promise.all(others.map((peer) => describe(node, peer, own)))
  return peers.filter(({ multiaddrs }) => multiaddrs.length > 0)
}

function byDistance(peers: readonly PeerId[], target: PeerId): readonly PeerId[] {
  const key = kadKey(target)
  return peers
    .map((peer) => ({ peer, distance: xorKeys(kadKey(peer), key) }))
    .sort((a, b) => Buffer.compare(a.distance, b.distance))
    .map(({ peer }) => peer)
}

async function describe(node: Libp2p, peer: PeerId, own: PeerId): Promise<KadPeer> {
  const id = peerIdBytes(peer)
  if (peer === own) return { id, multiaddrs: node.getMultiaddrs().map(({ bytes }) => bytes) }
  const known = node.getPeers().find((other) => other.toString() === peer)
  const entry = known && (await node.peerStore.get(known).catch(() => undefined))
  const addresses = entry?.addresses.slice(0, maxAddresses).map(({ multiaddr }) => multiaddr.bytes)
  return { id, multiaddrs: addresses ?? [] }
}
