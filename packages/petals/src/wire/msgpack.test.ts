import { decode as referenceDecode, encode as referenceEncode, ExtensionCodec } from '@msgpack/msgpack'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hex, toHex, vector, vectorsOf } from '../../fixtures/vectors.ts'
import { ProtocolError } from '../errors.ts'
import { decodeMsgpack } from './msgpack-decode.ts'
import { encodeMsgpack } from './msgpack-encode.ts'
import { DhtDictionary, Float, Tuple, type MsgpackInput } from './msgpack-values.ts'

const peer = 'QmedTaZXmULqwspJXz44SsPZyTNKxhnnFvYRajfH7MGhCY'

describe('bytes recorded from hivemind', () => {
  it('nil and text', () => {
    expect(toHex(encodeMsgpack(null))).toBe(vector('msgpack/none').hex)
    expect(toHex(encodeMsgpack(peer))).toBe(vector('msgpack/subkey').hex)
    expect(decodeMsgpack(hex(vector('msgpack/subkey').hex))).toBe(peer)
  })

  it('a tuple of everything', () => {
    const value = new Tuple([1, 'a', new Tuple([2.5, null]), [true, Uint8Array.of(0, 255)]])
    expect(toHex(encodeMsgpack(value))).toBe(vector('msgpack/tuple').hex)
    expect(decodeMsgpack(hex(vector('msgpack/tuple').hex))).toEqual([
      1,
      'a',
      [2.5, null],
      [true, Buffer.of(0, 255)],
    ])
  })

  it('keys of the DHT, with their length headers', () => {
    for (const { key, preimage_hex } of vectorsOf('dhtid/').filter(({ key }) => key !== undefined)) {
      expect(toHex(encodeMsgpack(key))).toBe(preimage_hex)
    }
  })

  it.each(['serverinfo/minimal', 'serverinfo/full', 'serverinfo/offline'])('%s', (id) => {
    const [state, throughput, extra] = decodeMsgpack(hex(vector(id).hex)) as [
      number,
      number,
      Map<string, unknown>,
    ]
    const plain = JSON.parse(
      JSON.stringify(extra, (_, value) => (value instanceof Map ? Object.fromEntries(value) : value)),
    )
    expect([state, throughput, plain]).toEqual(vector(id).decoded)
  })

  it('a dictionary value, both ways', () => {
    const { hex: bytes, entries } = vector('dht/dictionary')
    const dictionary = decodeMsgpack(hex(bytes)) as DhtDictionary
    expect(dictionary).toBeInstanceOf(DhtDictionary)
    expect(
      dictionary.entries.map(({ subkey, value, expirationTime }) => ({
        subkey,
        expiration_time: expirationTime,
        value_hex: toHex(value),
      })),
    ).toEqual(entries)
    expect(toHex(encodeMsgpack(dictionary))).toBe(bytes)
  })

  it('a tensor descriptor is a map', () => {
    const descriptor = decodeMsgpack(hex(vector('rpc_info/descriptor').hex)) as ReadonlyMap<string, unknown>
    expect(descriptor.get('size')).toEqual([null, 1, 2048, 576])
    expect(descriptor.get('dtype')).toBe('torch.float32')
  })

  it('metadata of a request', () => {
    const structure = new Tuple([
      new Tuple(['__T0', '__T1', '__T2'].map((name) => Buffer.from(name))),
      new Map(),
    ])
    expect(toHex(encodeMsgpack(structure))).toBe(vector('packing/inference').hex)
    const metadata = decodeMsgpack(hex(vector('inference/metadata_next_servers').hex)) as ReadonlyMap<
      string,
      unknown
    >
    expect(metadata.get('next_servers')).toEqual([
      ['QmQGTqmM7NKjV6ggU1ZCap8zWiyKR89RViDXiqehSiCpY5', expect.any(String), 2, 4],
    ])
  })
})

describe('against @msgpack/msgpack', () => {
  const value: fc.Arbitrary<MsgpackInput> = fc.letrec<{ value: MsgpackInput }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constant(null),
      fc.boolean(),
      fc.integer(),
      fc.maxSafeInteger(),
      fc.double({ noNaN: true }).filter((number) => !Number.isInteger(number)),
      fc.string({ unit: 'grapheme' }),
      fc.uint8Array({ maxLength: 300 }),
      fc.array(tie('value'), { maxLength: 20 }),
    ),
  })).value

  it('encodes a value to the same bytes', () => {
    const property = fc.property(value, (input) => {
      expect(toHex(encodeMsgpack(input))).toBe(toHex(referenceEncode(input)))
    })
    fc.assert(property)
  })

  it('decodes what it encoded', () => {
    const property = fc.property(value, (input) => {
      expect(decodeMsgpack(Uint8Array.from(encodeMsgpack(input)))).toEqual(input)
    })
    fc.assert(property)
  })

  it('tuples are extension 0x40 with an array inside', () => {
    const extensionCodec = new ExtensionCodec()
    extensionCodec.register({
      type: 0x40,
      encode: () => null,
      decode: (data) => ({ tuple: referenceDecode(data) }),
    })
    const sizes = [0, 1, 2, 4, 8, 15, 16, 300, 70_000]
    for (const length of sizes) {
      const items = Array.from({ length }, () => 1)
      expect(referenceDecode(encodeMsgpack(new Tuple(items)), { extensionCodec })).toEqual({ tuple: items })
    }
  })

  it('a whole Float is encoded as a float', () => {
    expect(toHex(encodeMsgpack(new Float(1)))).toBe('cb3ff0000000000000')
  })
})

describe('untrusted input', () => {
  it('any bytes give a value or a ProtocolError', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      try {
        decodeMsgpack(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(ProtocolError)
      }
    })
    fc.assert(property, { numRuns: 5000 })
  })

  it('ten thousand nested arrays, or extensions, are refused', () => {
    expect(() => decodeMsgpack(new Uint8Array(10_000).fill(0x91))).toThrow(/nested deeper/)
    let nested: MsgpackInput = 1
    for (let i = 0; i < 100; i++) nested = new Tuple([nested])
    expect(() => decodeMsgpack(encodeMsgpack(nested))).toThrow(/nested deeper/)
  })

  it('a length beyond the remaining bytes is refused at once', () => {
    for (const type of [0xdd, 0xdf, 0xdb, 0xc6, 0xc9]) {
      expect(() => decodeMsgpack(Uint8Array.of(type, 0xff, 0xff, 0xff, 0xff, 0))).toThrow(ProtocolError)
    }
  })

  it('a million empty maps are refused', () => {
    const bytes = new Uint8Array(1_000_005).fill(0x80)
    bytes.set([0xdd, 0, 0x0f, 0x42, 0x40])
    expect(() => decodeMsgpack(bytes)).toThrow(/more than 65536/)
  })

  it('__proto__ is an ordinary key', () => {
    const map = decodeMsgpack(encodeMsgpack(new Map([['__proto__', new Map([['polluted', true]])]])))
    expect(map).toBeInstanceOf(Map)
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })
})
