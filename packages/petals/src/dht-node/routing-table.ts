import { xorDistance } from '../dht/dht-id.ts'
import type { PeerId } from '../p2p/peer-id.ts'

/** Another node of the DHT. */
export interface Neighbour {
  /** 20 bytes, chosen by the node. */
  readonly nodeId: Uint8Array
  readonly peer: PeerId
}

/** Nodes in one bucket: bucket_size of `hivemind/dht/node.py`. As many more are kept to replace those that fail. */
const bucketSize = 20

interface Bucket {
  /** In the order of their last sign of life, the oldest first. */
  readonly nodes: Map<PeerId, Neighbour>
  readonly replacements: Map<PeerId, Neighbour>
}

/**
 * The nodes that this node knows, as Kademlia keeps them (`hivemind/dht/routing.py`): a bucket for each length of the prefix that
 * a node's id shares with the own one, so that the own neighbourhood is known best. A peer has one place, whatever ids it claims.
 */
export class RoutingTable {
  readonly #ownId: Uint8Array
  readonly #buckets = new Map<number, Bucket>()
  readonly #bucketOf = new Map<PeerId, Bucket>()

  constructor(ownId: Uint8Array) {
    this.#ownId = ownId
  }

  get size(): number {
    let size = 0
    for (const { nodes } of this.#buckets.values()) size += nodes.size
    return size
  }

  has(peer: PeerId): boolean {
    return this.#bucketOf.get(peer)?.nodes.has(peer) ?? false
  }

  /**
   * Notes a sign of life of a node. If its bucket is full, it waits as a replacement, and the bucket's oldest node is returned:
   * the caller asks whether that is still alive, and removes it if it is not.
   */
  add(neighbour: Neighbour): Neighbour | undefined {
    this.remove(neighbour.peer)
    const bucket = this.#bucket(sharedBits(this.#ownId, neighbour.nodeId))
    this.#bucketOf.set(neighbour.peer, bucket)
    if (bucket.nodes.size < bucketSize) {
      bucket.nodes.set(neighbour.peer, neighbour)
      return undefined
    }
    bucket.replacements.set(neighbour.peer, neighbour)
    const [oldestReplacement] = bucket.replacements.keys()
    if (bucket.replacements.size > bucketSize) {
      bucket.replacements.delete(oldestReplacement!)
      this.#bucketOf.delete(oldestReplacement!)
    }
    const [oldest] = bucket.nodes.values()
    return oldest
  }

  /** Removes a node that did not answer; the latest replacement takes its place. */
  remove(peer: PeerId): void {
    const bucket = this.#bucketOf.get(peer)
    if (!bucket) return
    this.#bucketOf.delete(peer)
    if (bucket.replacements.delete(peer) || !bucket.nodes.delete(peer)) return
    const latest = [...bucket.replacements.values()].at(-1)
    if (!latest) return
    bucket.replacements.delete(latest.peer)
    bucket.nodes.set(latest.peer, latest)
  }

  /** Returns up to `count` nodes by their distance to an id, the nearest first. */
  nearest(id: Uint8Array, count: number): readonly Neighbour[] {
    const shared = sharedBits(this.#ownId, id)
    const found: Neighbour[] = []
    // Nodes that share fewer bits with this node than the id does are farther from the id, the fewer the farther.
    for (const [bits, { nodes }] of this.#buckets) if (bits >= shared) found.push(...nodes.values())
    for (let bits = shared - 1; bits >= 0 && found.length < count; bits--)
      found.push(...(this.#buckets.get(bits)?.nodes.values() ?? []))
    return found
      .map((neighbour) => ({ neighbour, distance: xorDistance(neighbour.nodeId, id) }))
      .sort((a, b) => a.distance - b.distance)
      .slice(0, count)
      .map(({ neighbour }) => neighbour)
  }

  #bucket(bits: number): Bucket {
    const known = this.#buckets.get(bits)
    if (known) return known
    const bucket: Bucket = { nodes: new Map(), replacements: new Map() }
    this.#buckets.set(bits, bucket)
    return bucket
  }
}

/** Returns the length of the common prefix in bits. */
export function sharedBits(a: Uint8Array, b: Uint8Array): number {
  const byte = a.findIndex((value, i) => value !== b[i])
  return byte === -1 ? a.byteLength * 8 : byte * 8 + Math.clz32(a[byte]! ^ b[byte]!) - 24
}
