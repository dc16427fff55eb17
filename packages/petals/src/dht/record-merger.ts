import { ProtocolError } from '../errors.ts'
import { findResultTypes, type FindResult } from '../wire/dht.ts'
import { decodeMsgpack, forEachEntry } from '../wire/msgpack-decode.ts'
import { encodeMsgpack } from '../wire/msgpack-encode.ts'
import type { MsgpackValue } from '../wire/msgpack-values.ts'
import type { DhtEntry, DhtRecord } from './dht-client.ts'
import type { EntryPool, PooledEntry } from './entry-pool.ts'
import { isProtected, verifiedValue } from './signed-record.ts'

/** Servers announce themselves for minutes. An entry that claims to be valid for days is meant to displace honest ones. */
const maxLifetimeSeconds = 3600

/** Clocks of a swarm may differ by this (MAX_DHT_TIME_DISCREPANCY_SECONDS of `hivemind/dht/protocol.py`). */
const toleratedSkewSeconds = 3

/** A subkey with the key of an owner has some hundred characters, and a peer id 46. */
const maxSubkeyLength = 4096

/** Signatures that are checked in one record; the check takes up to a millisecond. Petals signs none. */
const maxSignatures = 256

/** Merges the answers of nodes about one key. Of several entries for a subkey, the one that expires last counts. */
export class RecordMerger {
  readonly #keyId: Uint8Array
  readonly #pool: EntryPool
  readonly #entries = new Map<string, PooledEntry>()

  /** @param pool shared by the keys of a lookup */
  constructor(keyId: Uint8Array, pool: EntryPool) {
    this.#keyId = keyId
    this.#pool = pool
  }

  /** Adds a node's answer; anything but a dictionary is ignored. `now` is the swarm's time in Unix seconds. */
  add(result: FindResult, now: number): void {
    if (result.type !== findResultTypes.dictionary) return
    try {
      forEachEntry(result.value, ({ subkey, value, expirationTime }) => {
        if (typeof subkey === 'string' && subkey.length <= maxSubkeyLength)
          this.#addEntry(subkey, value, expirationTime, now)
      })
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
    }
  }

  /** Returns the entries that are valid at `now` and have a subkey that `isRead`, or undefined if there are none. */
  build(now: number, isRead = this.#pool.selection()): DhtRecord | undefined {
    const subkeys = new Map<string, DhtEntry>()
    let latest = -Infinity
    let signatures = 0
    for (const [subkey, pooled] of this.#entries) {
      if (!isRead(subkey)) continue
      if (pooled.expirationTime < now - toleratedSkewSeconds) continue
      if (isProtected(subkey) && signatures++ >= maxSignatures) continue
      const value = isProtected(subkey) ? this.#openProtected(pooled) : openPlain(pooled)
      if (value === undefined) continue
      subkeys.set(subkey, { value, expirationTime: pooled.expirationTime })
      latest = Math.max(latest, pooled.expirationTime)
    }
    return subkeys.size > 0 ? { expirationTime: latest, subkeys } : undefined
  }

  #addEntry(subkey: string, value: Uint8Array, expirationTime: number, now: number): void {
    if (!(expirationTime < now + maxLifetimeSeconds)) return // also refuses NaN
    const known = this.#entries.get(subkey)
    if (known && known.expirationTime >= expirationTime) return
    const entry = this.#pool.share(subkey, value, expirationTime)
    if (entry) this.#entries.set(entry.subkey, entry)
  }

  #openProtected({ subkey, value, expirationTime }: PooledEntry): MsgpackValue | undefined {
    const record = { keyId: this.#keyId, subkey: encodeMsgpack(subkey), value, expirationTime }
    const stripped = verifiedValue(record)
    return stripped && tryDecode(stripped)
  }
}

const openPlain = (entry: PooledEntry): MsgpackValue | undefined =>
  (entry.decoded ??= { value: tryDecode(entry.value) }).value

function tryDecode(bytes: Uint8Array): MsgpackValue | undefined {
  try {
    return decodeMsgpack(bytes)
  } catch (error) {
    if (error instanceof ProtocolError) return undefined
    throw error
  }
}
