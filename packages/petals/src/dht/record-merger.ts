import { ProtocolError } from '../errors.ts'
import { findResultTypes, type FindResult } from '../wire/dht.ts'
import { decodeMsgpack } from '../wire/msgpack-decode.ts'
import { encodeMsgpack } from '../wire/msgpack-encode.ts'
import { DhtDictionary, type MsgpackValue } from '../wire/msgpack-values.ts'
import type { DhtEntry, DhtRecord } from './dht-client.ts'
import { isProtected, verifiedValue } from './signed-record.ts'

/** Servers announce themselves for minutes. An entry that claims to be valid for days is meant to displace honest ones. */
const maxLifetimeSeconds = 3600

/** Clocks of a swarm may differ by this (MAX_DHT_TIME_DISCREPANCY_SECONDS of `hivemind/dht/protocol.py`). */
const toleratedSkewSeconds = 3

/** More servers than hold any block. Further entries of a flooded record are dropped. */
const maxEntries = 16_384

/** A subkey with the key of an owner has some hundred characters, and a peer id 46. */
const maxSubkeyLength = 4096

/** Signatures that are checked in one record; the check takes up to a millisecond. Petals signs none. */
const maxSignatures = 256

interface Candidate {
  readonly value: Uint8Array
  readonly expirationTime: number
}

/** Merges the answers of nodes about one key. Of several entries for a subkey, the one that expires last counts. */
export class RecordMerger {
  readonly #keyId: Uint8Array
  readonly #entries = new Map<string, Candidate>()

  constructor(keyId: Uint8Array) {
    this.#keyId = keyId
  }

  /** Adds a node's answer; anything but a dictionary is ignored. `now` is the swarm's time in Unix seconds. */
  add(result: FindResult, now: number): void {
    if (result.type !== findResultTypes.dictionary) return
    const dictionary = tryDecode(result.value)
    if (!(dictionary instanceof DhtDictionary)) return
    for (const { subkey, value, expirationTime } of dictionary.entries) {
      if (typeof subkey === 'string' && subkey.length <= maxSubkeyLength)
        this.#addEntry(subkey, { value, expirationTime }, now)
    }
  }

  /** Returns the entries that are valid at `now`, or undefined if there are none. */
  build(now: number): DhtRecord | undefined {
    const subkeys = new Map<string, DhtEntry>()
    let latest = -Infinity
    let signatures = 0
    for (const [subkey, { value, expirationTime }] of this.#entries) {
      if (expirationTime < now - toleratedSkewSeconds) continue
      if (isProtected(subkey) && signatures++ >= maxSignatures) continue
      const entry = this.#open(subkey, value, expirationTime)
      if (!entry) continue
      subkeys.set(subkey, entry)
      latest = Math.max(latest, expirationTime)
    }
    return subkeys.size > 0 ? { expirationTime: latest, subkeys } : undefined
  }

  #addEntry(subkey: string, candidate: Candidate, now: number): void {
    const { expirationTime } = candidate
    if (!(expirationTime < now + maxLifetimeSeconds)) return // also refuses NaN
    const known = this.#entries.get(subkey)
    if (known ? known.expirationTime >= expirationTime : this.#entries.size >= maxEntries) return
    this.#entries.set(subkey, candidate)
  }

  #open(subkey: string, value: Uint8Array, expirationTime: number): DhtEntry | undefined {
    const stripped = verifiedValue({
      keyId: this.#keyId,
      subkey: encodeMsgpack(subkey),
      value,
      expirationTime,
    })
    const decoded = stripped && tryDecode(stripped)
    return decoded === undefined ? undefined : { value: decoded, expirationTime }
  }
}

function tryDecode(bytes: Uint8Array): MsgpackValue | undefined {
  try {
    return decodeMsgpack(bytes)
  } catch (error) {
    if (error instanceof ProtocolError) return undefined
    throw error
  }
}
