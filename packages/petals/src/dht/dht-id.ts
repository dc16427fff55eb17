import { createHash } from 'node:crypto'
import { encodeMsgpack } from '../wire/msgpack.ts'

/** Bytes of an id: a 160-bit number, big-endian. Ids of nodes are random; ids of keys are hashes. */
export const dhtIdBytes = 20

/** Id of a key (`hivemind/dht/routing.py`, DHTID.generate): text is hashed as msgpack, with its length header. */
export const dhtIdOf = (key: string | Uint8Array): Uint8Array =>
  createHash('sha1')
    .update(typeof key === 'string' ? encodeMsgpack(key) : key)
    .digest()

/**
 * XOR distance, its upper 53 bits or so as a number: good for ordering, as ids that agree that far don't occur.
 */
export function xorDistance(a: Uint8Array, b: Uint8Array): number {
  const left = new DataView(a.buffer, a.byteOffset, a.byteLength)
  const right = new DataView(b.buffer, b.byteOffset, b.byteLength)
  const high = (left.getUint32(0) ^ right.getUint32(0)) >>> 0
  const low = (left.getUint32(4) ^ right.getUint32(4)) >>> 0
  return high * 2 ** 32 + low
}
