import { describe, expect, it } from 'vitest'
import { hex, toHex, vector, vectorsOf } from '../../fixtures/vectors.ts'
import { findResultTypes, type FindResult } from '../wire/dht.ts'
import { decodeMsgpack } from '../wire/msgpack-decode.ts'
import { encodeMsgpack } from '../wire/msgpack-encode.ts'
import { DhtDictionary, type DhtDictionaryEntry } from '../wire/msgpack-values.ts'
import { dhtIdOf, xorDistance } from './dht-id.ts'
import { ProtocolError } from '../errors.ts'
import { EntryPool } from './entry-pool.ts'
import { findInParts } from './find-in-parts.ts'
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

describe('asking for keys in parts', () => {
  const keys = Array.from({ length: 6 }, (_, i) => Uint8Array.of(i))
  const found = (key: Uint8Array): FindResult => ({
    type: findResultTypes.regular,
    value: key,
    expirationTime: 0,
    nearestNodeIds: [],
    nearestPeerIds: [],
  })
  /** A node whose answers fit if they are not longer than this. */
  const ask = async (most: number, sizeOf: (key: Uint8Array) => number) => {
    const asked: number[] = []
    const results = await findInParts(keys, {
      most,
      ask: async (part) => {
        asked.push(part.length)
        if (part.reduce((sum, key) => sum + sizeOf(key), 0) > 4) throw new ProtocolError('too long')
        return { results: part.map(found), nodeId: undefined }
      },
    })
    return { ...results, asked }
  }

  it('takes one call where the answer fits', async () => {
    expect(await ask(Infinity, () => 0)).toEqual({ results: keys.map(found), most: Infinity, asked: [6] })
  })

  it('asks for half as many where it does not, and for so many at once the next time', async () => {
    expect(await ask(Infinity, () => 1)).toEqual({ results: keys.map(found), most: 3, asked: [6, 3, 3] })
    expect(await ask(3, () => 1)).toMatchObject({ results: keys.map(found), most: 3, asked: [3, 3] })
  })

  it('finds the other keys if one is too long alone', async () => {
    const { results } = await ask(Infinity, (key) => (key[0] === 5 ? 9 : 1))
    expect(results.map(({ type }) => type)).toEqual([1, 1, 1, 1, 1, 0])
  })

  it('fails with a node that answers nothing, after a few calls', async () => {
    await expect(ask(Infinity, () => 9)).rejects.toThrow('too long')
  })
})

describe('a flooded lookup', () => {
  it('reads a random choice of subkeys, and those of peers that have answered', () => {
    const pool = new EntryPool((subkey) => subkey === 'honest')
    const value = Uint8Array.of(1)
    for (let i = 0; i < 10_000; i++) pool.share(`forged ${i}`, value, 1)
    pool.share('honest', value, 1)
    const isRead = pool.selection()
    const read = Array.from({ length: 10_000 }, (_, i) => i).filter((i) => isRead(`forged ${i}`))
    expect(isRead('honest')).toBe(true)
    expect(read).toHaveLength(2047)
    expect(read.filter((i) => i < 5000).length).toBeGreaterThan(700)
    expect(read.filter((i) => i >= 5000).length).toBeGreaterThan(700)
  })

  it('keeps what is said of several keys once, and no large values beyond a few', () => {
    const pool = new EntryPool(() => false)
    const entry = pool.share('a', Uint8Array.of(1, 2), 1)
    expect(pool.share('a', Uint8Array.of(1, 2), 1)).toBe(entry)
    expect(pool.share('a', Uint8Array.of(1, 3), 1)).not.toBe(entry)
    expect(pool.share('b', new Uint8Array(40_000), 1)).toBeUndefined()
    const large = Array.from({ length: 1000 }, (_, i) => pool.share(`${i}`, new Uint8Array(32_000), 1))
    expect(large.filter((each) => each !== undefined)).toHaveLength(131)
    expect(pool.share('c', new Uint8Array(2000), 1)).toBeDefined()
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
    const merger = new RecordMerger(dhtIdOf('key'), new EntryPool(() => false))
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
    const merger = new RecordMerger(dhtIdOf('key'), new EntryPool(() => false))
    const at = 1_900_000_000
    merger.add({ ...result(), value: hex(bytes) }, at)
    expect([...merger.build(at)!.subkeys.keys()]).toEqual(
      entries.map(({ subkey }: { subkey: string }) => subkey),
    )
  })
})
