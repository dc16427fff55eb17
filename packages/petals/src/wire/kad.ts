/** FIND_NODE of libp2p's Kademlia DHT (`kad.proto`), which returns the addresses of a peer. */
import { ProtobufReader, ProtobufWriter, pushBounded } from './protobuf.ts'

export const kadProtocol = '/ipfs/kad/1.0.0'

/** Types of messages (`kad.proto` of go-libp2p-kad-dht). */
export const kadMessages = { findNode: 4, ping: 5 } as const
const { findNode } = kadMessages

/** The protocol's replication factor is 20 peers; an address list longer than this is not a real one. */
const maxPeers = 64
const maxAddresses = 64

export interface KadPeer {
  /** Raw multihash. */
  readonly id: Uint8Array
  /** Binary multiaddrs. */
  readonly multiaddrs: readonly Uint8Array[]
}

/** @param key the raw multihash of the wanted peer */
export const encodeFindNode = (key: Uint8Array): Uint8Array =>
  new ProtobufWriter().uint32(1, findNode).bytes(2, key).finish()

export function decodeFindNode(bytes: Uint8Array): Uint8Array {
  const reader = new ProtobufReader(bytes)
  let key: Uint8Array = new Uint8Array(0)
  while (reader.next()) {
    if (reader.field === 2) key = reader.bytes()
    else reader.skip()
  }
  return key
}

/** Reads the type of any request, and the key that it is about: for FIND_NODE that of a peer. */
export function decodeKadRequest(bytes: Uint8Array): { readonly type: number; readonly key: Uint8Array } {
  const reader = new ProtobufReader(bytes)
  const request = { type: 0, key: new Uint8Array(0) as Uint8Array }
  while (reader.next()) {
    if (reader.field === 1) request.type = reader.uint32()
    else if (reader.field === 2) request.key = reader.bytes()
    else reader.skip()
  }
  return request
}

/** An answer repeats the type of its request. */
export function encodeCloserPeers(peers: readonly KadPeer[], type: number = findNode): Uint8Array {
  const writer = new ProtobufWriter().uint32(1, type)
  for (const { id, multiaddrs } of peers) {
    writer.message(8, new ProtobufWriter().bytes(1, id).repeatedBytes(2, multiaddrs))
  }
  return writer.finish()
}

export function decodeCloserPeers(bytes: Uint8Array): readonly KadPeer[] {
  const reader = new ProtobufReader(bytes)
  const peers: KadPeer[] = []
  while (reader.next()) {
    if (reader.field === 8) pushBounded(peers, decodePeer(reader.bytes()), maxPeers)
    else reader.skip()
  }
  return peers
}

function decodePeer(bytes: Uint8Array): KadPeer {
  const reader = new ProtobufReader(bytes)
  const multiaddrs: Uint8Array[] = []
  let id: Uint8Array = new Uint8Array(0)
  while (reader.next()) {
    if (reader.field === 1) id = reader.bytes()
    else if (reader.field === 2) pushBounded(multiaddrs, reader.bytes(), maxAddresses)
    else reader.skip()
  }
  return { id, multiaddrs }
}
