import { xorDistance } from '../dht/dht-id.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import type { RpcClient } from '../rpc/rpc-client.ts'
import type { StoredItem } from '../wire/dht.ts'
import type { NodeMethods } from './node-methods.ts'
import type { KeptRecord, RecordStore } from './record-store.ts'
import type { Neighbour, RoutingTable } from './routing-table.ts'
import { itemsOf } from './stored-items.ts'

export interface HandOverOptions {
  readonly rpc: RpcClient
  readonly method: NodeMethods['store']
  readonly records: RecordStore
  readonly table: RoutingTable
  readonly nodeId: Uint8Array
}

const replicas = 5
const maxBytes = 1024 * 1024
const timeoutMs = 3000
/** A node that claims ever new ids is sent records once in this time: it must not draw more traffic than it makes. */
const pauseMs = 600_000
const maxRemembered = 4096
/** Keys that are looked at for one node: some models have some hundred blocks, and a node can store any number of others. */
const maxKeys = 1024

/**
 * Sends a node that this one has just met the records that it should keep, if this node is the nearest to them so far
 * (`update_routing_table` of `hivemind/dht/protocol.py`). Servers announce themselves anew every minute; this bridges the time.
 */
export class HandOver {
  readonly #options: HandOverOptions
  readonly #sentAt = new Map<PeerId, number>()

  constructor(options: HandOverOptions) {
    this.#options = options
  }

  /** Call it before the node is added to the table. Runs in the background. */
  to(node: Neighbour, signal: AbortSignal): void {
    const now = performance.now()
    if (now - (this.#sentAt.get(node.peer) ?? -Infinity) < pauseMs) return
    // Before the search: a node that waits for a place in the table is new with each of its calls.
    this.#sentAt.delete(node.peer)
    this.#sentAt.set(node.peer, now)
    const [oldest] = this.#sentAt.keys()
    if (this.#sentAt.size > maxRemembered) this.#sentAt.delete(oldest!)
    const items = this.#itemsFor(node)
    if (items.length === 0) return
    const { rpc, method } = this.#options
    rpc.unary(node.peer, method, items, { timeoutMs, signal }).catch(() => {}) // the node is no worse off than before
  }

  #itemsFor(node: Neighbour): readonly StoredItem[] {
    const items: StoredItem[] = []
    let bytes = 0
    for (const keyId of this.#options.records.keyIds().take(maxKeys)) {
      if (!this.#shouldKeep(node, keyId)) continue
      const records = this.#options.records.find(keyId)
      bytes += records.reduce((sum: number, record: KeptRecord) => sum + record.bytes, 0)
      if (bytes > maxBytes) break
      items.push(...itemsOf(records))
    }
    return items
  }

  #shouldKeep({ nodeId }: Neighbour, keyId: Uint8Array): boolean {
    const { table, nodeId: own } = this.#options
    const nearest = table.nearest(keyId, replicas)
    if (nearest.length === 0) return true
    const distanceTo = (id: Uint8Array): number => xorDistance(id, keyId)
    const farthest = distanceTo(nearest.at(-1)!.nodeId)
    const isNear = nearest.length < replicas || distanceTo(nodeId) < farthest
    return isNear && distanceTo(own) < distanceTo(nearest[0]!.nodeId)
  }
}
