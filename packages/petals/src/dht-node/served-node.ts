import type { PingOptions } from '../dht/dht-client.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import type { FindResult } from '../wire/dht.ts'
import type { RecordStore } from './record-store.ts'
import type { Neighbour } from './routing-table.ts'

/** A node, as its handlers of requests see it. */
export interface ServedNode {
  readonly nodeId: Uint8Array
  readonly records: RecordStore
  now(): number
  find(keyIds: readonly Uint8Array[], except?: PeerId): readonly FindResult[]
  /** Notes that a node has called. */
  meet(neighbour: Neighbour): void
  ping(peer: PeerId, options?: PingOptions): Promise<number>
}
