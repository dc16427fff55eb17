import type { AbortOptions } from '@petals-chat/engine'
import type { PeerId } from '../p2p/peer-id.ts'
import type { MsgpackValue } from '../wire/msgpack-values.ts'

/**
 * What the DHT holds under one key: a value for each subkey, none of them expired. These are claims, not facts: any peer
 * can write any record.
 */
export interface DhtRecord {
  /** The latest expiration time of the entries, Unix seconds of the swarm's clock. */
  readonly expirationTime: number
  readonly subkeys: ReadonlyMap<string, DhtEntry>
}

export interface DhtEntry {
  readonly value: MsgpackValue
  /** Unix seconds of the swarm's clock. */
  readonly expirationTime: number
}

export interface GetManyOptions extends AbortOptions {
  /** Called after each node's answer. `records` returns all that is known so far; it decodes every entry. */
  readonly onPartial?: ((records: () => ReadonlyMap<string, DhtRecord>) => void) | undefined
}

/** Reads hivemind's DHT as a client (`hivemind/dht/node.py`): it asks nodes, and neither answers requests nor stores values. */
export interface DhtClient {
  /**
   * Returns the dictionaries stored under `keys`, from all nodes that are near them, merged entry by entry. Keys that no
   * node knows are left out. @throws PeerUnreachableError if no node answers
   */
  getMany(keys: readonly string[], options?: GetManyOptions): Promise<ReadonlyMap<string, DhtRecord>>
  /** Returns the round trip of one call to the peer in milliseconds, without dialling and opening the stream. @throws SwarmError */
  ping(peer: PeerId, options?: PingOptions): Promise<number>
  /** Reports whether the peer has answered a call of the DHT: then it is a real node, not only a name in a record. */
  hasAnswered(peer: PeerId): boolean
  /** Returns the swarm's time, Unix seconds. */
  now(): number
}

export interface PingOptions extends AbortOptions {
  /** From the call to the answer, dialling included. Default: 3 s. */
  readonly timeoutMs?: number | undefined
}
