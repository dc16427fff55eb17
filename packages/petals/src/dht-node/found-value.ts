import { findResultTypes, type FindResult } from '../wire/dht.ts'
import { encodeMsgpack } from '../wire/msgpack-encode.ts'
import { DhtDictionary, type DhtDictionaryEntry } from '../wire/msgpack-values.ts'
import type { KeptRecord } from './record-store.ts'

export type FoundValue = Pick<FindResult, 'type' | 'value' | 'expirationTime'>

const nothing: FoundValue = {
  type: findResultTypes.notFound,
  value: new Uint8Array(0),
  expirationTime: 0,
}

/**
 * Returns the records of one key as a node answers them, in at most about `maxBytes`: an answer that is too long for a unary
 * call would not arrive at all. Of a flooded key it tells what peers have said about themselves, then what expires last.
 */
export function foundValue(records: readonly KeptRecord[], maxBytes: number): FoundValue {
  const [first] = records
  if (!first) return nothing
  if (first.subkey === undefined)
    return { type: findResultTypes.regular, value: first.value, expirationTime: first.expirationTime }
  const told = withinBytes(records, maxBytes)
  const entries = told.map(({ subkey, value, expirationTime }): DhtDictionaryEntry => {
    return { subkey: subkey!, value, expirationTime }
  })
  return {
    type: findResultTypes.dictionary,
    value: encodeMsgpack(new DhtDictionary(entries)),
    expirationTime: told.reduce((latest, { expirationTime }) => Math.max(latest, expirationTime), -Infinity),
  }
}

function withinBytes(records: readonly KeptRecord[], maxBytes: number): readonly KeptRecord[] {
  if (sum(records) <= maxBytes) return records
  let left = maxBytes
  return records.toSorted(byWorth).filter(({ bytes }, i) => i === 0 || (left -= bytes) > 0)
}

const sum = (records: readonly KeptRecord[]): number => records.reduce((total, { bytes }) => total + bytes, 0)

const byWorth = (a: KeptRecord, b: KeptRecord): number =>
  Number(b.isFirstHand) - Number(a.isFirstHand) || b.expirationTime - a.expirationTime
