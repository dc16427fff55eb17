import { ProtocolError } from '../errors.ts'
import { dhtIdBytes } from '../dht/dht-id.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import type { StoredItem } from '../wire/dht.ts'
import { decodeMsgpack, forEachEntry } from '../wire/msgpack-decode.ts'
import { encodeMsgpack } from '../wire/msgpack-encode.ts'
import { DhtDictionary, type MsgpackValue } from '../wire/msgpack-values.ts'
import type { KeptRecord, NewRecord, Subkey } from './record-store.ts'

const nil = encodeMsgpack(null)

/**
 * Reads the records of one item of a request to store: one, or all entries of a dictionary. @throws ProtocolError
 */
export function recordsOf(item: StoredItem, storer: PeerId | undefined): readonly NewRecord[] {
  const { key: keyId, subkey, value, expirationTime } = item
  if (keyId.byteLength !== dhtIdBytes) throw new ProtocolError('The id of a key has not 20 bytes.')
  if (subkey.byteLength > 0) return [{ keyId, subkey: readSubkey(subkey), value, expirationTime, storer }]
  const records: NewRecord[] = []
  forEachEntry(value, (entry) => records.push({ ...entry, keyId, subkey: checked(entry.subkey), storer }))
  return records
}

/** Returns the items by which the records of one key are passed on to another node. */
export function itemsOf(records: readonly KeptRecord[]): readonly StoredItem[] {
  const [first] = records
  if (!first) return []
  const { keyId: key } = first
  if (first.subkey === undefined)
    return [{ key, subkey: nil, value: first.value, expirationTime: first.expirationTime, inCache: false }]
  const entries = records.map(({ subkey, value, expirationTime }) => ({
    subkey: subkey as MsgpackValue,
    value,
    expirationTime,
  }))
  const expirationTime = Math.max(...entries.map((entry) => entry.expirationTime))
  const value = encodeMsgpack(new DhtDictionary(entries))
  return [{ key, subkey: new Uint8Array(0), value, expirationTime, inCache: false }]
}

function readSubkey(bytes: Uint8Array): Subkey | undefined {
  const subkey = decodeMsgpack(bytes)
  return subkey === null ? undefined : checked(subkey)
}

/** Subkeys are texts, numbers or bytes in practice; collections would have to be compared by their contents. */
function checked(subkey: MsgpackValue): Subkey {
  if (typeof subkey === 'string' || typeof subkey === 'number' || typeof subkey === 'boolean') return subkey
  if (subkey instanceof Uint8Array) return subkey
  throw new ProtocolError('A subkey is neither a text nor a number nor bytes.')
}
