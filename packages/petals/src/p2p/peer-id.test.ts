import { peerIdFromString } from '@libp2p/peer-id'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { hex, toHex, vector } from '../../fixtures/vectors.ts'
import { parsePeerId, peerIdBytes, peerIdFromBytes, peerIdFromText } from './peer-id.ts'

it("the id of an RSA key equals hivemind's", () => {
  const { peer_id, peer_id_hex } = vector('rsa/peer_id')
  expect(toHex(peerIdBytes(parsePeerId(peer_id)))).toBe(peer_id_hex)
  expect(peerIdFromBytes(hex(peer_id_hex))).toBe(peer_id)
})

it('agrees with libp2p on ids of RSA and Ed25519 keys', () => {
  const id = fc.oneof(
    fc.uint8Array({ minLength: 32, maxLength: 32 }).map((hash) => [0x12, 32, ...hash]),
    fc.uint8Array({ minLength: 32, maxLength: 32 }).map((key) => [0x00, 36, 8, 1, 18, 32, ...key]),
  )
  const property = fc.property(id, (bytes) => {
    const peer = peerIdFromBytes(Uint8Array.from(bytes))!
    expect(Array.from(peerIdBytes(peer))).toEqual(bytes)
    if (bytes[0] === 0x12)
      expect(toHex(peerIdFromString(peer).toMultihash().bytes)).toBe(toHex(Uint8Array.from(bytes)))
  })
  fc.assert(property)
})

it.each([
  '',
  'Qm',
  'not a peer id at all, but of about the right length',
  '0'.repeat(46),
  `${'1'.repeat(46)}`,
  'Q'.repeat(5000),
])("'%s' is not a peer id", (text) => {
  expect(peerIdFromText(text)).toBeUndefined()
  expect(() => parsePeerId(text)).toThrow(/is not a peer id/)
})

it('bytes that are not a multihash of a key are refused', () => {
  for (const bytes of [
    [],
    [0x12],
    [0x12, 32, 1, 2],
    [0x13, 32, ...new Array<number>(32)],
    [0, 43, ...new Array<number>(43)],
  ]) {
    expect(peerIdFromBytes(Uint8Array.from(bytes))).toBeUndefined()
  }
})
