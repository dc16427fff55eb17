import {
  NotFoundError,
  peerRoutingSymbol,
  type PeerId as Libp2pPeerId,
  type PeerInfo,
  type PeerRouting,
  type RoutingOptions,
} from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Multiaddr } from '@multiformats/multiaddr'
import { createHash } from 'node:crypto'
import { PeerUnreachableError } from '../errors.ts'
import { decodeCloserPeers, encodeFindNode, kadProtocol } from '../wire/kad.ts'
import { lengthPrefixed, readLengthPrefixed } from '../wire/varint.ts'
import { maxAddressesPerPeer } from './address-policy.ts'
import { readAddress } from './multiaddrs.ts'
import { peerIdBytes, peerIdFromBytes, type PeerId } from './peer-id.ts'
import type { ByteStream } from './swarm-transport.ts'

/** Peers asked at a time: Kademlia's α. */
const concurrency = 3
/** Peers asked in all. A lookup in a network of a million peers converges in far fewer. */
const maxQueries = 32
const queryTimeoutMs = 3000
/** 20 peers with a dozen addresses each are 10 KiB. */
const maxResponseBytes = 256 * 1024

/** What the lookup needs from the node that it runs on. */
export interface KadNode {
  /** Reports whether an address that a peer names may be dialled. */
  allows(address: Multiaddr): boolean
  /** The peers at which a lookup starts. */
  seeds(): readonly PeerId[]
  /** Returns the timeout, or a longer one where this node's line is slow. */
  patience(timeoutMs: number): number
  /** Opens a stream on an open connection to the peer; dials the addresses if there is none. */
  openStream(
    peer: Libp2pPeerId,
    multiaddrs: readonly Multiaddr[],
    protocol: string,
    signal: AbortSignal,
  ): Promise<ByteStream>
}

interface Candidate {
  readonly peer: PeerId
  readonly multiaddrs: readonly Multiaddr[]
  readonly distance: Buffer
}

/**
 * Finds the addresses of a peer by FIND_NODE of libp2p's Kademlia DHT (`/ipfs/kad/1.0.0`), as a client. It asks the peers
 * that this node is connected to, then those that they name as nearer to the target. A server of that DHT names every peer
 * that it is connected to, so that one round trip to a bootstrap peer of the swarm usually suffices. This client keeps no
 * routing table and answers no requests.
 */
export class KadPeerRouting implements PeerRouting {
  readonly [peerRoutingSymbol] = this
  readonly #node: KadNode

  constructor(node: KadNode) {
    this.#node = node
  }

  async findPeer(target: Libp2pPeerId, { signal }: RoutingOptions = {}): Promise<PeerInfo> {
    const lookup = new Lookup(this.#node, target.toString() as PeerId)
    const multiaddrs = await lookup.run(signal)
    if (multiaddrs.length > 0) return { id: target, multiaddrs: [...multiaddrs] }
    if (lookup.refused) {
      const peer = target.toString()
      const why = 'it only has addresses of private networks, or of a form that no server has'
      throw new PeerUnreachableError(`Peer ${peer} is not connected to: ${why} (swarm.privateAddresses).`, {
        peer,
      })
    }
    throw new NotFoundError(`None of ${lookup.asked} peers knows an address of ${target.toString()}.`)
  }

  async *getClosestPeers(): AsyncIterable<PeerInfo> {
    throw new Error('This node only looks up the addresses of peers.')
  }
}

class Lookup {
  asked = 0
  /** The peer is known, but none of its addresses may be dialled. */
  refused = false
  readonly #node: KadNode
  readonly #target: PeerId
  readonly #targetKey: Uint8Array
  readonly #seen = new Set<PeerId>()
  readonly #candidates: Candidate[] = []
  readonly #found = new Map<string, Multiaddr>()

  constructor(node: KadNode, target: PeerId) {
    this.#node = node
    this.#target = target
    this.#targetKey = kadKey(target)
    for (const seed of node.seeds()) this.#add(seed, [])
  }

  async run(signal: AbortSignal | undefined): Promise<readonly Multiaddr[]> {
    const done = new AbortController()
    const signals = signal ? [signal, done.signal] : [done.signal]
    const workers = Array.from({ length: concurrency }, () => this.#work(AbortSignal.any(signals), done))
    await Promise.all(workers)
    signal?.throwIfAborted()
    return [...this.#found.values()]
  }

  /** Asks one candidate after another, nearest first, until the target is found or no candidate is left. */
  async #work(signal: AbortSignal, done: AbortController): Promise<void> {
    while (!signal.aborted && this.asked < maxQueries) {
      const candidate = this.#nearest()
      if (!candidate) return
      this.asked++
      try {
        await this.#ask(
          candidate,
          AbortSignal.any([signal, AbortSignal.timeout(this.#node.patience(queryTimeoutMs))]),
        )
      } catch {
        continue // the peer is unreachable or does not serve this protocol: others may know the target
      }
      if (this.#found.size > 0) done.abort()
    }
  }

  #nearest(): Candidate | undefined {
    this.#candidates.sort((a, b) => Buffer.compare(b.distance, a.distance))
    return this.#candidates.pop()
  }

  async #ask({ peer, multiaddrs }: Candidate, signal: AbortSignal): Promise<void> {
    const bytes = await this.#node.openStream(peerIdFromString(peer), multiaddrs, kadProtocol, signal)
    try {
      await bytes.write(lengthPrefixed(encodeFindNode(peerIdBytes(this.#target))), { signal })
      const response = await readLengthPrefixed((length) => bytes.read(length, { signal }), maxResponseBytes)
      for (const { id, multiaddrs } of decodeCloserPeers(response))
        this.#learn(peerIdFromBytes(id), multiaddrs)
    } catch (error) {
      bytes.abort(error as Error)
      throw error
    }
    await bytes[Symbol.asyncDispose]()
  }

  #learn(peer: PeerId | undefined, addresses: readonly Uint8Array[]): void {
    const multiaddrs = addresses
      .flatMap((address) => readAddress(address) ?? [])
      .filter((address) => this.#node.allows(address))
      .slice(0, maxAddressesPerPeer)
    if (peer === this.#target && addresses.length > 0) this.refused = multiaddrs.length === 0
    if (!peer || multiaddrs.length === 0) return
    if (peer === this.#target) this.#find(multiaddrs)
    else this.#add(peer, multiaddrs)
  }

  #find(multiaddrs: readonly Multiaddr[]): void {
    for (const address of multiaddrs.slice(0, maxAddressesPerPeer - this.#found.size))
      this.#found.set(address.toString(), address)
  }

  #add(peer: PeerId, multiaddrs: readonly Multiaddr[]): void {
    if (this.#seen.has(peer) || peer === this.#target) return
    this.#seen.add(peer)
    this.#candidates.push({ peer, multiaddrs, distance: xorKeys(kadKey(peer), this.#targetKey) })
  }
}

/** Returns the Kademlia key of a peer: the hash of its id. */
export const kadKey = (peer: PeerId): Uint8Array => createHash('sha256').update(peerIdBytes(peer)).digest()

export const xorKeys = (a: Uint8Array, b: Uint8Array): Buffer => Buffer.from(a.map((byte, i) => byte ^ b[i]!))
