import { describe, expect, it } from 'vitest'
import { hex, toHex, vector, vectorsOf } from '../../fixtures/vectors.ts'
import { findResultTypes, type FindResult } from '../wire/dht.ts'
import { decodeMsgpack } from '../wire/msgpack-decode.ts'
import { encodeMsgpack } from '../wire/msgpack-encode.ts'
import { DhtDictionary, type DhtDictionaryEntry } from '../wire/msgpack-values.ts'
import { dhtIdOf, xorDistance } from './dht-id.ts'
import { RecordMerger } from './record-merger.ts'
import { verifiedValue } from './signed-record.ts'
import { SwarmClock } from './swarm-clock.ts'

describe('ids', () => {
  it.each(vectorsOf('dhtid/').filter(({ key, key_hex }) => key ?? key_hex))(
    '$id',
    ({ key, key_hex, hex: expected }) => {
      expect(toHex(dhtIdOf(key ?? hex(key_hex)))).toBe(expected)
    },
  )

  it('distance is the upper part of XOR', () => {
    const { x, y, hex: expected } = vector('dhtid/xor')
    expect(xorDistance(hex(x), hex(y))).toBe(Number(BigInt(`0x${expected.slice(0, 16)}`)))
  })
})

describe('the swarm clock', () => {
  const clock = (): SwarmClock => new SwarmClock(() => 1000)

  it('follows the nodes', () => {
    const swarm = clock()
    expect(swarm.now()).toBe(1000)
    swarm.addSample('a', 4600.5, 1000, 1001)
    expect(swarm.now()).toBe(4600)
  })

  it('a lying node does not move it', () => {
    const swarm = clock()
    for (const [node, time] of [
      ['a', 1001],
      ['b', 1002],
      ['liar', 4600],
      ['c', 1001.5],
    ] as const) {
      swarm.addSample(node, time, 1000, 1000)
    }
    expect(swarm.now()).toBeLessThan(1003)
  })

  it("of two that disagree, the one nearer to this machine's clock counts; invalid times do not", () => {
    const swarm = clock()
    swarm.addSample('liar', -2600 + 1000, 1000, 1000)
    swarm.addSample('also', NaN, 1000, 1000)
    swarm.addSample('honest', 1002, 1000, 1000)
    swarm.addSample('liar', 4600, 1000, 1000)
    expect(swarm.now()).toBe(1002)
  })
})

describe('signed records', () => {
  const { key_hex, subkey_hex, hex: signed, stripped_value_hex, expiration_time } = vector('rsa/record')
  const record = {
    keyId: hex(key_hex),
    subkey: hex(subkey_hex),
    value: hex(signed),
    expirationTime: expiration_time,
  }

  it('a valid signature is removed', () => {
    expect(toHex(verifiedValue(record)!)).toBe(stripped_value_hex)
    expect(decodeMsgpack(verifiedValue(record)!)).toEqual([1, 2])
  })

  it('anything else under a protected subkey is dropped', () => {
    expect(verifiedValue({ ...record, value: hex(stripped_value_hex) })).toBeUndefined()
    expect(verifiedValue({ ...record, expirationTime: expiration_time + 1 })).toBeUndefined()
    expect(verifiedValue({ ...record, keyId: dhtIdOf('another') })).toBeUndefined()
    expect(verifiedValue({ ...record, value: Buffer.concat([hex(signed), hex(signed)]) })).toBeUndefined()
    const changed = hex(signed)
    changed[1]! ^= 1
    expect(verifiedValue({ ...record, value: changed })).toBeUndefined()
    const subkey = Buffer.from('x[owner:ssh-rsa AAAA]')
    expect(verifiedValue({ ...record, subkey })).toBeUndefined()
  })

  it('a hostile owner of megabytes is read once, not in every possible way', () => {
    const value = Uint8Array.of(1, 2, 3)
    for (const owner of ['[owner:ssh-rsa ' + 'A'.repeat(2 ** 22), '[owner:ssh-rsa A '.repeat(2 ** 17)])
      expect(verifiedValue({ ...record, subkey: Buffer.from(owner), value })).toBe(value)
  })

  it('an unprotected record is unchanged', () => {
    const value = Uint8Array.of(1, 2, 3)
    expect(verifiedValue({ ...record, subkey: encodeMsgpack('QmPeer'), value })).toBe(value)
  })
})

describe('merging', () => {
  const now = 1_000_000
  const entry = (subkey: string, value: number, expirationTime: number): DhtDictionaryEntry => ({
    subkey,
    value: encodeMsgpack(value),
    expirationTime,
  })
  const result = (...entries: readonly DhtDictionaryEntry[]): FindResult => ({
    type: findResultTypes.dictionary,
    value: encodeMsgpack(new DhtDictionary(entries)),
    expirationTime: now,
    nearestNodeIds: [],
    nearestPeerIds: [],
  })
  const merged = (...results: readonly FindResult[]): Record<string, unknown> | undefined => {
    const merger = new RecordMerger(dhtIdOf('key'))
    for (const each of results) merger.add(each, now)
    const record = merger.build(now)
    return record && Object.fromEntries([...record.subkeys].map(([subkey, { value }]) => [subkey, value]))
  }

  it('the later expiration wins for each entry, in any order of answers', () => {
    const [early, late] = [
      result(entry('a', 1, now + 10), entry('b', 1, now + 20)),
      result(entry('a', 2, now + 30)),
    ]
    expect(merged(early, late)).toEqual({ a: 2, b: 1 })
    expect(merged(late, early)).toEqual({ a: 2, b: 1 })
  })

  it('expired entries are dropped, with a tolerance for clock skew', () => {
    expect(merged(result(entry('a', 1, now - 2), entry('b', 1, now - 4)))).toEqual({ a: 1 })
    expect(merged(result(entry('b', 1, now - 4)))).toBeUndefined()
  })

  it('an expiration that is NaN, or next year, does not displace an honest one', () => {
    const honest = result(entry('a', 1, now + 240))
    for (const poison of [NaN, Infinity, 1e308, now + 3e7]) {
      expect(merged(result(entry('a', 666, poison)), honest)).toEqual({ a: 1 })
      expect(merged(honest, result(entry('a', 666, poison)))).toEqual({ a: 1 })
    }
  })

  it('values that are not msgpack, not a dictionary, or of an unknown kind are ignored', () => {
    const bad = { ...entry('bad', 1, now + 10), value: Uint8Array.of(0xc1) }
    const notDictionary = { ...result(), value: encodeMsgpack([1, 2, 3]) }
    const regular = { ...result(entry('regular', 1, now + 10)), type: findResultTypes.regular }
    const cut = {
      ...result(entry('cut', 1, now + 10)),
      value: result(entry('cut', 1, now + 10)).value.subarray(0, 20),
    }
    const unknown = { ...result(entry('unknown', 1, now + 10)), type: 77 }
    expect(merged(result(bad, entry('a', 1, now + 10)), notDictionary, regular, cut, unknown)).toEqual({
      a: 1,
    })
  })

  it('subkeys that are longer than an owner with a key are ignored', () => {
    const long = entry('x'.repeat(100_000), 1, now + 10)
    expect(merged(result(long, entry('a', 1, now + 10)))).toEqual({ a: 1 })
  })

  it("hivemind's recorded dictionary is merged", () => {
    const { hex: bytes, entries } = vector('dht/dictionary')
    const merger = new RecordMerger(dhtIdOf('key'))
    const at = 1_900_000_000
    merger.add({ ...result(), value: hex(bytes) }, at)
    expect([...merger.build(at)!.subkeys.keys()]).toEqual(
      entries.map(({ subkey }: { subkey: string }) => subkey),
    )
  })
})
