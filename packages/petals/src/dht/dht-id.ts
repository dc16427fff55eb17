import { createHash } from 'node:crypto'
import { encodeMsgpack } from '../wire/msgpack-encode.ts'

/** Length of an id, which is a 160-bit big-endian number. Ids of nodes are random; ids of keys are hashes. */
export const dhtIdBytes = 20

/** Returns the id of a key (`DHTID.generate` in `hivemind/dht/routing.py`): the hash of the msgpack of text, or of the bytes. */
export const dhtIdOf = (key: string | Uint8Array): Uint8Array =>
  createHash('sha1')
    .update(typeof key === 'string' ? encodeMsgpack(key) : key)
    .digest()

/** Returns the upper 53 bits of the XOR distance. That suffices for an order: ids that agree in so many bits don't occur. */
export function xorDistance(a: Uint8Array, b: Uint8Array): number {
  const left = new DataView(a.buffer, a.byteOffset, a.byteLength)
  const right = new DataView(b.buffer, b.byteOffset, b.byteLength)
  const high = (left.getUint32(0) ^ right.getUint32(0)) >>> 0
  const low = (left.getUint32(4) ^ right.getUint32(4)) >>> 0
  return high * 2 ** 32 + low
}
