import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { dhtIdOf } from '../../packages/petals/src/dht/dht-id.ts'
import { seededBits } from '../../packages/petals/src/sampling/random.ts'
import {
  compressions,
  decodeTensor,
  encodeTensor,
  type Compression,
} from '../../packages/petals/src/tensor/codecs/index.ts'
import type { FloatDtype } from '../../packages/petals/src/tensor/dtype.ts'
import { bytesOf as bytesOfView, floatTensor } from '../../packages/petals/src/tensor/tensor.ts'
import { decodeMsgpack } from '../../packages/petals/src/wire/msgpack-decode.ts'
import { encodeMsgpack } from '../../packages/petals/src/wire/msgpack-encode.ts'
import {
  DhtDictionary,
  Float,
  Tuple,
  type MsgpackInput,
} from '../../packages/petals/src/wire/msgpack-values.ts'
import { decodeTensorMessage, encodeTensorMessage } from '../../packages/petals/src/wire/runtime.ts'
import { python } from '../../swarm/paths.ts'
import { run } from '../../swarm/run.ts'

const script = fileURLToPath(new URL('hivemind_codecs.py', import.meta.url))

/** In each direction. */
const tensorCount = 1500
const valueCount = 1000

/** A value as hivemind packs it, and what it means. */
interface Packed {
  readonly packed: string
  readonly meaning: unknown
}

interface Answer {
  readonly tensors: readonly { readonly message: string; readonly restored: string }[]
  readonly values: readonly Packed[]
  readonly records: readonly {
    readonly value: string
    readonly entries: readonly (readonly [string, string, number])[]
  }[]
  readonly restored: readonly {
    readonly dtype: string
    readonly shape: readonly number[]
    readonly data: string
  }[]
  readonly repacked: readonly Packed[]
  readonly ids: readonly string[]
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'base64')

const bits = seededBits(5)
const random = (): number => bits() / 2 ** 32
const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!

const dtypes: readonly FloatDtype[] = ['float32', 'float16', 'bfloat16']

/** A tensor message of this client; MEANSTD_16BIT and FLOAT16 don't take bfloat16. */
function encodedTensor(): Uint8Array {
  const dtype = pick(dtypes)
  const all = Object.values(compressions)
  const compression: Compression = dtype === 'bfloat16' ? pick([0, 3, 4, 5] as const) : pick(all)
  const shape = [1, pick([1, 2, 5]), pick([2, 16, 64, 4099])]
  const scale = 10 ** (random() * 6 - 3)
  const values = Float32Array.from({ length: shape[1]! * shape[2]! }, () => (random() + random() - 1) * scale)
  return encodeTensorMessage(encodeTensor(floatTensor(values, shape, dtype), compression))
}

/** Scalars, tensors without values, many dimensions, and values that are no ordinary numbers. */
function specialTensors(): readonly Uint8Array[] {
  const odd = [NaN, Infinity, -Infinity, 0, -0, 1e-45, 6e-8, 65504, 65519, 65520, -1e30, 3.4e38]
  const forms = [
    { values: odd, shape: [12] },
    { values: odd, shape: [1, 3, 1, 2, 2, 1] },
    { values: [0.1], shape: [] },
    { values: [], shape: [0] },
    { values: [], shape: [2, 0, 16] },
  ]
  const floats = forms.flatMap(({ values, shape }) =>
    dtypes.flatMap((dtype) => {
      const tensor = floatTensor(Float32Array.from(values), shape, dtype)
      const kinds: readonly Compression[] = dtype === 'bfloat16' ? [0] : [0, 2]
      return kinds.map((compression) => encodeTensor(tensor, compression))
    }),
  )
  const integers = [BigInt64Array.of(-(2n ** 63n), -1n, 0n, 2n ** 63n - 1n), new BigInt64Array(0)].map(
    (values) => encodeTensor({ dtype: 'int64', shape: [values.length], data: bytesOfView(values) }),
  )
  return [...floats, ...integers].map(encodeTensorMessage)
}

const packable: fc.Arbitrary<MsgpackInput> = fc.letrec<{ value: MsgpackInput }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }).map((number) => new Float(number)),
    fc.string({ unit: 'grapheme' }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.array(tie('value'), { maxLength: 4 }).map((items) => new Tuple(items)),
    fc
      .dictionary(fc.string(), tie('value'), { maxKeys: 20 })
      .map((fields) => new Map(Object.entries(fields))),
  ),
})).value

/** What a value means: its tree of types and contents, in which 1 and 1.0 are one number, and tuples are lists. */
function meaning(value: MsgpackInput): unknown {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
  if (typeof value === 'number') return ['number', hexOf(value)]
  if (value instanceof Float) return ['number', hexOf(value.value)]
  if (value instanceof Uint8Array) return ['bytes', Buffer.from(value).toString('hex')]
  if (value instanceof Tuple) return ['list', ...value.items.map(meaning)]
  if (value instanceof Map) return ['map', ...[...value].map((entry) => entry.map(meaning))]
  return ['list', ...(value as readonly MsgpackInput[]).map(meaning)]
}

function hexOf(number: number): string {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(number)
  return bytes.toString('hex')
}

const encoded = [...specialTensors(), ...Array.from({ length: tensorCount }, encodedTensor)]
const sampled = fc.sample(packable, { numRuns: valueCount, seed: 5 })
const packed = sampled.map(encodeMsgpack)
const keys = fc.sample(fc.string({ unit: 'grapheme', maxLength: 300 }), { numRuns: 200, seed: 5 })

let hivemind: Answer
beforeAll(async () => {
  const request = {
    seed: 5,
    tensors: tensorCount,
    values: valueCount,
    encoded: encoded.map(base64),
    packed: packed.map(base64),
    keys,
  }
  hivemind = JSON.parse(await run(python, [script], { input: JSON.stringify(request) })) as Answer
})

/** Compares all, and shows the first that differ. */
function expectAllEqual(ours: readonly unknown[], theirs: readonly unknown[]): void {
  expect(ours.length).toBe(theirs.length)
  const different = ours.flatMap((value, i) =>
    JSON.stringify(value) === JSON.stringify(theirs[i]) ? [] : [{ i, ours: value, theirs: theirs[i] }],
  )
  expect({ different: different.length, first: different.slice(0, 3) }).toEqual({ different: 0, first: [] })
}

describe('hivemind and this client agree bit by bit', () => {
  it(`on ${tensorCount} tensors that hivemind encoded, of every type and compression`, () => {
    const messages = hivemind.tensors.map(({ message }) => decodeTensorMessage(bytesOf(message)))
    expect(new Set(messages.map(({ dtype, compression }) => `${dtype} ${compression}`)).size).toBe(17)
    expectAllEqual(
      messages.map((message) => base64(decodeTensor(message).data)),
      hivemind.tensors.map(({ restored }) => restored),
    )
  })

  it(`on ${tensorCount} tensors that this client encoded`, () => {
    const ours = encoded.map((bytes) => {
      const { dtype, shape, data } = decodeTensor(decodeTensorMessage(bytes))
      return { dtype, shape, data: base64(data) }
    })
    expectAllEqual(ours, hivemind.restored)
  })

  it(`on ${valueCount} msgpack values of each`, () => {
    const ours = sampled.map((value, i) => ({ packed: base64(packed[i]!), meaning: meaning(value) }))
    expectAllEqual(ours, hivemind.repacked)
    expectAllEqual(
      hivemind.values.map(({ packed }) => meaning(decodeMsgpack(bytesOf(packed)))),
      hivemind.values.map((value) => value.meaning),
    )
  })

  it('on records of the DHT with subkeys', () => {
    for (const { value, entries } of hivemind.records) {
      const dictionary = decodeMsgpack(bytesOf(value)) as DhtDictionary
      expect(dictionary).toBeInstanceOf(DhtDictionary)
      const read = dictionary.entries.map(({ subkey, value, expirationTime }) => [
        subkey,
        base64(value),
        expirationTime,
      ])
      expect(read).toEqual(entries)
      expect(base64(encodeMsgpack(dictionary))).toBe(value)
    }
  })

  it('on the ids of keys', () => {
    expectAllEqual(
      keys.map((key) => Buffer.from(dhtIdOf(key)).toString('hex')),
      hivemind.ids,
    )
  })
})
