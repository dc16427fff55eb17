import fc from 'fast-check'
import { expect, it } from 'vitest'
import { toHex, vector } from '../../fixtures/vectors.ts'
import { ProtocolError } from '../errors.ts'
import { encodeTensor } from './codecs/index.ts'
import { joinTensors, splitTensor } from './splitting.ts'
import { emptyTensor, floatTensor } from './tensor.ts'

const values = Float32Array.from({ length: 10 }, (_, i) => i)

it('splits like split_for_streaming', () => {
  const parts = [...splitTensor(encodeTensor(floatTensor(values, [1, 2, 5])), 16)]
  expect(parts.map(({ buffer }) => buffer.byteLength)).toEqual([16, 16, 8])
  expect(parts.map(({ chunks, dtype }) => ({ chunks, dtype }))).toEqual([
    { chunks: 3, dtype: 'float32' },
    { chunks: 0, dtype: '' },
    { chunks: 0, dtype: '' },
  ])
  expect(vector('tensor/split').value).toHaveLength(3)
})

it('an empty tensor is one part with 0 chunks', () => {
  const parts = [...splitTensor(encodeTensor(emptyTensor('float32')))]
  expect(parts).toHaveLength(1)
  expect(parts[0]).toMatchObject({ chunks: 0, size: [0] })
})

it('joining is the inverse of splitting, for any tensors and any part size', () => {
  const tensors = fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 5 })
  const property = fc.property(tensors, fc.integer({ min: 1, max: 120 }), (buffers, partBytes) => {
    const encoded = buffers.map((buffer, i) => ({
      buffer,
      size: [i],
      dtype: 'float32',
      compression: 0,
      chunks: 0,
    }))
    const joined = [...joinTensors(encoded.flatMap((tensor) => [...splitTensor(tensor, partBytes)]))]
    expect(joined.map(({ buffer }) => toHex(buffer))).toEqual(buffers.map(toHex))
    expect(joined.map(({ size }) => size)).toEqual(encoded.map(({ size }) => size))
  })
  fc.assert(property)
})

it('parts without a beginning, or without an end, are refused', () => {
  const part = { buffer: new Uint8Array(8), size: [], dtype: '', compression: 0, chunks: 0 }
  const first = { ...part, dtype: 'float32', size: [4] }
  expect(() => [...joinTensors([part])]).toThrow(ProtocolError)
  const endless = (function* () {
    yield first
    while (true) yield part
  })()
  expect(() => [...joinTensors(endless, 64)]).toThrow(/more than 64 bytes/)
})
