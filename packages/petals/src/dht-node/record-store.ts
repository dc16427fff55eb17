import { isProtected, verifiedValue } from '../dht/signed-record.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import { encodeMsgpack } from '../wire/msgpack-encode.ts'
import { KeyRecords } from './key-records.ts'
import { StoreUsage, type Holding } from './store-usage.ts'

/** A value that a node keeps under a key, or under a subkey of it. */
export interface NewRecord {
  readonly keyId: Uint8Array
  /** Undefined: the value has no subkey. */
  readonly subkey: Subkey | undefined
  /** msgpack of the value. */
  readonly value: Uint8Array
  /** Unix seconds of the swarm's clock. */
  readonly expirationTime: number
  /** The peer that asks to keep it; undefined for this node itself. */
  readonly storer: PeerId | undefined
}

export type Subkey = string | number | boolean | Uint8Array

/** A record as it is kept. */
export interface KeptRecord extends NewRecord, Holding {
  /** The peer that the record is about has stored it itself: the connection has proved its id. */
  readonly isFirstHand: boolean
}

/** Reports whether a record may be kept under this key: the schema of a swarm's records. */
export type RecordCheck = (record: NewRecord) => boolean

export interface RecordStoreLimits {
  readonly bytes: number
  readonly subkeysPerKey: number
  readonly valueBytes: number
  /** Petals announces for minutes. Longer records are meant to displace others. */
  readonly lifetimeSeconds: number
}

const defaultLimits: RecordStoreLimits = {
  bytes: 64 * 1024 * 1024,
  subkeysPerKey: 2048,
  valueBytes: 32 * 1024,
  lifetimeSeconds: 3600,
}

/** Memory that an entry takes besides its bytes: 1,020 in Node 24, for 100,000 of them that are alone in their keys. */
const overheadBytes = 1000
const maxSubkeyBytes = 4096
/** Clocks may differ by this (MAX_DHT_TIME_DISCREPANCY_SECONDS of hivemind). */
const skewSeconds = 3

/**
 * The records that a node of the DHT keeps for others until they expire (`hivemind/dht/storage.py`), within bounds. A record is
 * replaced by one that expires later. Two rules are stricter than hivemind's: what a peer says about itself is not replaced by
 * what others say about it, and when the memory is used up, those who have stored the most give way first.
 */
export class RecordStore {
  readonly #now: () => number
  readonly #limits: RecordStoreLimits
  readonly #accepts: RecordCheck
  readonly #keys = new Map<string, KeyRecords<KeptRecord>>()
  readonly #usage: StoreUsage<KeptRecord>

  /** @param now returns Unix seconds of the swarm's clock */
  constructor(now: () => number, accepts: RecordCheck = () => true, limits: Partial<RecordStoreLimits> = {}) {
    this.#now = now
    this.#accepts = accepts
    this.#limits = { ...defaultLimits, ...limits }
    this.#usage = new StoreUsage(this.#limits.bytes)
  }

  get bytes(): number {
    return this.#usage.bytes
  }

  /** Keeps a record, and reports whether it does. */
  store(record: NewRecord): boolean {
    if (!this.#isValid(record) || !this.#accepts(record)) return false
    const key = hex(record.keyId)
    const kept = this.#keep(record)
    const records = this.#live(key)
    const before = records.get(slotOf(record.subkey))
    if (before && !replaces(kept, before)) return false
    if (!this.#fitsBesides(records, kept)) return false
    if (!before && !this.#makeRoomIn(records, kept)) return false
    if (!this.#usage.makeRoom(kept, before, (other) => this.#remove(other))) return false
    if (before) this.#remove(before)
    const target = this.#keys.get(key) ?? new KeyRecords<KeptRecord>()
    target.set(slotOf(record.subkey), kept)
    this.#keys.set(key, target)
    this.#usage.add(kept)
    return true
  }

  /** Returns the records of a key that have not expired: one without a subkey, or any number with subkeys. */
  find(keyId: Uint8Array): readonly KeptRecord[] {
    return [...this.#live(hex(keyId)).values()]
  }

  /** Removes what has expired. */
  sweep(): void {
    for (const key of this.#keys.keys()) this.#live(key)
  }

  /** Returns the ids of the keys with records, those that came first before the others. */
  *keyIds(): Generator<Uint8Array> {
    for (const key of this.#keys.keys()) if (this.#live(key).size > 0) yield Buffer.from(key, 'hex')
  }

  #isValid({ keyId, subkey, value, expirationTime }: NewRecord): boolean {
    const now = this.#now()
    const { valueBytes, lifetimeSeconds } = this.#limits
    if (!(expirationTime >= now && expirationTime <= now + lifetimeSeconds + skewSeconds)) return false
    if (value.byteLength > valueBytes || subkeyBytes(subkey) > maxSubkeyBytes) return false
    if (typeof subkey !== 'string' || !isProtected(subkey)) return true
    return verifiedValue({ keyId, subkey: encodeMsgpack(subkey), value, expirationTime }) !== undefined
  }

  #keep(record: NewRecord): KeptRecord {
    const { subkey, value, storer, keyId } = record
    return {
      ...record,
      keyId: Uint8Array.from(keyId),
      value: Uint8Array.from(value), // a view would keep the whole request in memory
      subkey: subkey instanceof Uint8Array ? Uint8Array.from(subkey) : subkey,
      isFirstHand: storer === undefined || storer === subkey,
      bytes: value.byteLength + subkeyBytes(subkey) + overheadBytes,
    }
  }

  /**
   * A value without a subkey and a dictionary exclude each other. Entries replace a value that expires earlier, but one value
   * does not replace what many peers have stored: hivemind allows that, and anyone could hide a swarm by it.
   */
  #fitsBesides(
    records: KeyRecords<KeptRecord>,
    { subkey, isFirstHand, expirationTime }: KeptRecord,
  ): boolean {
    const whole = records.get(slotOf(undefined))
    if (subkey === undefined) return records.size === (whole ? 1 : 0)
    if (!whole) return true
    if (!isFirstHand && whole.expirationTime >= expirationTime) return false
    this.#remove(whole)
    return true
  }

  /** In a full key, one record of the peer with the most of them gives way, unless that is the one that stores. */
  #makeRoomIn(records: KeyRecords<KeptRecord>, { storer, isFirstHand }: KeptRecord): boolean {
    if (records.size < this.#limits.subkeysPerKey) return true
    const most = records.heaviest()
    if (!isFirstHand && records.countOf(storer) + 1 >= records.countOf(most)) return false
    for (const kept of records.values()) {
      if (kept.storer !== most || isOwn(kept)) continue
      this.#remove(kept)
      return true
    }
    return false
  }

  #live(key: string): KeyRecords<KeptRecord> {
    const records = this.#keys.get(key)
    if (!records) return new KeyRecords<KeptRecord>()
    for (const record of records.expired(this.#now())) this.#remove(record)
    return records
  }

  #remove(record: KeptRecord): void {
    const key = hex(record.keyId)
    const records = this.#keys.get(key)
    if (records?.get(slotOf(record.subkey)) !== record) return
    records.delete(slotOf(record.subkey))
    if (records.size === 0) this.#keys.delete(key)
    this.#usage.remove(record)
  }
}

/** First-hand knowledge stands above hearsay; among equals the record that expires later. */
const replaces = (next: KeptRecord, before: KeptRecord): boolean =>
  next.isFirstHand === before.isFirstHand ? next.expirationTime > before.expirationTime : next.isFirstHand

const isOwn = ({ storer }: NewRecord): boolean => storer === undefined

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** The place of a record within its key: numbers and texts that look alike are different subkeys. */
const slotOf = (subkey: Subkey | undefined): string =>
  subkey === undefined ? '' : `${typeof subkey}:${subkey instanceof Uint8Array ? hex(subkey) : subkey}`

const subkeyBytes = (subkey: Subkey | undefined): number =>
  typeof subkey === 'string'
    ? Buffer.byteLength(subkey)
    : subkey instanceof Uint8Array
      ? subkey.byteLength
      : 8
