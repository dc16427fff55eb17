import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hex, toHex, vector } from '../../../fixtures/vectors.ts'
import { ProtocolError } from '../../errors.ts'
import { parseDtype, type FloatDtype } from '../dtype.ts'
import { floatTensor, tensorValues } from '../tensor.ts'
import type { EncodedTensor } from './codec.ts'
import { compressions, decodeTensor, encodeTensor, type Compression } from './index.ts'

const encodedOf = (id: string): EncodedTensor => {
  const { buffer_hex, size, dtype, compression } = vector(id)
  return { buffer: hex(buffer_hex), size, dtype, compression, chunks: 0 }
}

const finite = fc.float({
  min: Math.fround(-1e4),
  max: Math.fround(1e4),
  noNaN: true,
  noDefaultInfinity: true,
})
const floats = (minLength: number) =>
  fc.array(finite, { minLength, maxLength: 64 }).map((values) => Float32Array.from(values))
const floatDtypes: readonly FloatDtype[] = ['float32', 'float16', 'bfloat16']

describe('bytes recorded from hivemind', () => {
  it.each(['tensor/float32', 'tensor/float16', 'tensor/bfloat16_native', 'tensor/zero_tokens'])(
    '%s decodes and encodes to the same bytes',
    (id) => {
      const { dtype, size, decoded, buffer_hex } = vector(id)
      expect(Array.from(tensorValues(decodeTensor(encodedOf(id))))).toEqual(decoded)
      const tensor = floatTensor(Float32Array.from(decoded), size, parseDtype(dtype) as FloatDtype)
      expect(toHex(encodeTensor(tensor).buffer)).toBe(buffer_hex)
    },
  )

  it('legacy bfloat16 with 4 bytes for each value is recognized by its length', () => {
    const { decoded } = vector('tensor/bfloat16_legacy')
    const tensor = decodeTensor(encodedOf('tensor/bfloat16_legacy'))
    expect(tensor.dtype).toBe('bfloat16')
    expect(tensor.data).toHaveLength(decoded.length * 2)
    expect(Array.from(tensorValues(tensor))).toEqual(decoded)
  })

  it.each(['tensor/dummy_prompts', 'tensor/dummy_hypo_ids', 'tensor/hypo_ids'])('%s', (id) => {
    const { dtype, size, buffer_hex } = vector(id)
    const tensor = decodeTensor(encodedOf(id))
    expect(tensor).toMatchObject({ dtype, shape: size })
    expect(toHex(encodeTensor(tensor).buffer)).toBe(buffer_hex)
  })

  it.each(['tensor/comp_float16', 'tensor/comp_meanstd16', 'tensor/comp_uniform8', 'tensor/comp_quantile8'])(
    '%s decodes to the same float32 values',
    (id) => {
      expect(Array.from(tensorValues(decodeTensor(encodedOf(id))))).toEqual(vector(id).decoded)
    },
  )
})

describe.each(Object.entries(compressions) as [string, Compression][])(
  'compression %s',
  (name, compression) => {
    const dtypes =
      name === 'float16' || name === 'meanStd16Bit' ? (['float32', 'float16'] as const) : floatDtypes

    it('restores shape, type and approximate values', () => {
      const property = fc.property(floats(4), fc.constantFrom(...dtypes), (values, dtype) => {
        const tensor = floatTensor(values, [1, values.length], dtype)
        const restored = decodeTensor(encodeTensor(tensor, compression))
        expect(restored).toMatchObject({ dtype, shape: [1, values.length] })
        const original = tensorValues(tensor)
        // The 8-bit codecs are coarse on a handful of values; 2^-24 is float16's smallest step.
        const tolerance = Math.max(...original.map(Math.abs)) / 2 + 2 ** -24
        tensorValues(restored).forEach((value, i) =>
          expect(Math.abs(value - original[i]!)).toBeLessThanOrEqual(tolerance),
        )
      })
      fc.assert(property)
    })

    it('any bytes with any header give a tensor of that shape or a ProtocolError', () => {
      const header = {
        buffer: fc.uint8Array({ maxLength: 4096 }),
        size: fc.array(fc.oneof(fc.nat(8), fc.nat(2 ** 32 - 1)), { maxLength: 10 }),
        dtype: fc.oneof(fc.constantFrom('float32', 'float16', 'bfloat16', 'int64'), fc.string()),
      }
      const property = fc.property(fc.record(header), (encoded) => {
        try {
          const { shape } = decodeTensor({ ...encoded, compression, chunks: 0 })
          expect(shape).toEqual(encoded.size)
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError)
        }
      })
      fc.assert(property, { numRuns: 500 })
    })

    it('one byte too few or too many is refused', () => {
      const encoded = encodeTensor(floatTensor(Float32Array.of(1, 2, 3, 5), [2, 2]), compression)
      const { buffer } = encoded
      expect(() => decodeTensor({ ...encoded, buffer: buffer.subarray(0, -1) })).toThrow(ProtocolError)
      expect(() => decodeTensor({ ...encoded, buffer: Buffer.concat([buffer, new Uint8Array(1)]) })).toThrow(
        ProtocolError,
      )
    })
  },
)

it('a codebook of 2^62 entries is refused before anything is allocated', () => {
  const buffer = new Uint8Array(24)
  new DataView(buffer.buffer).setBigInt64(0, 2n ** 62n, true)
  for (const compression of [3, 4, 5]) {
    expect(() => decodeTensor({ buffer, size: [16], dtype: 'float32', compression, chunks: 0 })).toThrow(
      /table of \d+/,
    )
  }
})

it('an index beyond a short codebook is refused', () => {
  const buffer = Buffer.concat([
    new Uint8Array(new BigInt64Array([1n]).buffer),
    new Uint8Array(4),
    Uint8Array.of(0, 1),
  ])
  expect(() => decodeTensor({ buffer, size: [2], dtype: 'float32', compression: 3, chunks: 0 })).toThrow(
    /entry 1/,
  )
})

it('an unknown compression is a ProtocolError', () => {
  expect(() => decodeTensor({ ...encodedOf('tensor/float32'), compression: 77 })).toThrow(/compression 77/)
})

it('sizes whose product overflows are refused', () => {
  const size = [2 ** 31, 2 ** 31, 2 ** 31]
  expect(() =>
    decodeTensor({ buffer: new Uint8Array(0), size, dtype: 'float32', compression: 0, chunks: 0 }),
  ).toThrow(ProtocolError)
})

interface Recording {
  readonly shape: readonly number[]
  readonly dtype: FloatDtype
  readonly compression: Compression
  readonly values: string
  readonly encoded: string
  readonly decoded: string
}

describe('hivemind and this client, in both directions', () => {
  const recordings = JSON.parse(
    readFileSync(new URL('../../../fixtures/tensor-codecs.json', import.meta.url), 'utf8'),
  ) as readonly Recording[]
  const bytes = (text: string): Uint8Array => Buffer.from(text, 'base64')

  const title = '$dtype of shape $shape with compression $compression'
  it.each(recordings)(
    `decodes to the same bits: ${title}`,
    ({ shape, dtype, compression, encoded, decoded }) => {
      const tensor = decodeTensor({ buffer: bytes(encoded), size: shape, dtype, compression, chunks: 0 })
      expect(toHex(tensor.data)).toBe(toHex(bytes(decoded)))
    },
  )

  const exact = recordings.filter(({ compression }) => ![1, 4].includes(compression))
  it.each(exact)(`encodes to the same bits: ${title}`, ({ shape, dtype, compression, values, encoded }) => {
    expect(toHex(encodeTensor({ dtype, shape, data: bytes(values) }, compression).buffer)).toBe(
      toHex(bytes(encoded)),
    )
  })

  // The order in which a processor adds decides the last bit of a mean, and so, rarely, a bin.
  const aboutExact = recordings.filter(({ compression }) => [1, 4].includes(compression))
  it.each(aboutExact)(`encodes to the same values but for the last bit: ${title}`, (recording) => {
    const { shape, dtype, compression, values, decoded } = recording
    const ours = tensorValues(decodeTensor(encodeTensor({ dtype, shape, data: bytes(values) }, compression)))
    const theirs = tensorValues({ dtype, shape, data: bytes(decoded) })
    const differing = ours.filter(
      (value, i) => Math.abs(value - theirs[i]!) > Math.abs(theirs[i]!) * 2 ** -10,
    )
    expect(differing).toHaveLength(0)
  })
})
