import type { AbortOptions } from '@petals-chat/engine'
import type { PeerId } from '../p2p/peer-id.ts'
import type { MsgpackValue } from '../wire/msgpack.ts'

/** What the DHT holds under one key: a value for each subkey, none of them expired. Hints, not truths: anyone may write. */
export interface DhtRecord {
  /** Latest of the entries', Unix seconds by the swarm's clock. */
  readonly expirationTime: number
  readonly subkeys: ReadonlyMap<string, DhtEntry>
}

export interface DhtEntry {
  readonly value: MsgpackValue
  readonly expirationTime: number
}

export interface GetManyOptions extends AbortOptions {
  /** Called after each node's answer; `records` gives all that is known so far, at some cost. */
  readonly onPartial?: ((records: () => ReadonlyMap<string, DhtRecord>) => void) | undefined
}

/** Reads hivemind's DHT as a client: asks nodes, answers nothing, stores nothing. */
export interface DhtClient {
  /**
   * Dictionaries stored under `keys`, from all nodes that are near them, merged entry by entry; keys that nobody knows are
   * left out. @throws PeerUnreachableError if no node answers.
   */
  getMany(keys: readonly string[], options?: GetManyOptions): Promise<ReadonlyMap<string, DhtRecord>>
  /** Round trip of one call to the peer in milliseconds, without dialling and opening the stream. @throws SwarmError */
  ping(peer: PeerId, options?: PingOptions): Promise<number>
  /** Whether the peer has answered a call of the DHT: then it is a real node, not only a name in a record. */
  hasAnswered(peer: PeerId): boolean
  /** The swarm's time, Unix seconds. */
  now(): number
}

export interface PingOptions extends AbortOptions {
  readonly timeoutMs?: number | undefined
}
