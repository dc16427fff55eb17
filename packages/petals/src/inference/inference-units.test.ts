import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hex, toHex, vector } from '../../fixtures/vectors.ts'
import type { Span } from '../blocks/spans.ts'
import { ProtocolError } from '../errors.ts'
import { parsePeerId } from '../p2p/peer-id.ts'
import { compressions, encodeTensor } from '../tensor/codecs/index.ts'
import type { FloatDtype } from '../tensor/dtype.ts'
import { floatTensor, tensorValues } from '../tensor/tensor.ts'
import { decodeMsgpack } from '../wire/msgpack-decode.ts'
import { decodeExpertResponse, encodeExpertRequest } from '../wire/runtime.ts'
import { openingRequest, stepRequest } from './inference-methods.ts'
import { compactTensor, copyValues, InputHistory } from './input-history.ts'
import { sessionLength } from './session-length.ts'
import { readOutputs, type HiddenTensor } from './step-outputs.ts'
import { StepTimes } from './step-times.ts'

const peer = parsePeerId('QmVkqaunyKCw4NKmWXbsGhkr5CotM8vCBKWyxsh8FGZyfr')
const next = parsePeerId('QmQGTqmM7NKjV6ggU1ZCap8zWiyKR89RViDXiqehSiCpY5')
const hidden = (values: Float32Array, hiddenSize: number, dtype: FloatDtype = 'float32'): HiddenTensor =>
  floatTensor(values, [1, values.length / hiddenSize, hiddenSize], dtype) as HiddenTensor

describe('requests', () => {
  it('a step carries the same tensors as the reference client', () => {
    const { hex: recorded } = vector('inference/second_HEAD')
    const inputs = hidden(new Float32Array(4), 4)
    const ours = stepRequest({ inputs, stepId: 'x' }).tensors
    const [, prompts, hypoIds] = ours
    expect(
      toHex(encodeExpertRequest({ uid: '', tensors: [prompts!, hypoIds!], metadata: new Uint8Array(0) })),
    ).toBe('120c1201002207666c6f61743332120a1201002205696e743634')
    expect(recorded).toContain('120c1201002207666c6f61743332120a1201002205696e743634')
  })

  it('metadata has only what is needed: lengths and positions as integers, next servers as tuples', () => {
    const inputs = hidden(new Float32Array(0), 4)
    const opening = openingRequest({ uid: 'm.0', sessionId: 's', maxLength: 64, adapter: 'lora', inputs })
    expect(decodeMsgpack(opening.metadata)).toEqual(
      new Map<string, unknown>([
        ['session_id', 's'],
        ['max_length', 64],
        ['active_adapter', 'lora'],
      ]),
    )
    expect(toHex(opening.metadata)).toContain('40')
    expect(stepRequest({ inputs })).toMatchObject({ uid: '', metadata: new Uint8Array(0) })
    const nextServers = [{ peer: next, sessionId: '55555555-5555-4555-8555-555555555555', start: 2, end: 4 }]
    const step = stepRequest({ inputs, startFromPosition: 7, nextServers })
    const tuple = vector('inference/metadata_next_servers').hex as string
    const recorded = tuple.slice(tuple.indexOf('91c759'), tuple.indexOf('0204ae') + 4)
    expect(toHex(step.metadata)).toContain(recorded)
    expect((decodeMsgpack(step.metadata) as ReadonlyMap<string, unknown>).get('start_from_position')).toBe(7)
  })
})

describe('outputs', () => {
  it('of a recorded response in bfloat16 are decoded', () => {
    const { hex: bytes, decoded } = vector('inference/response')
    const outputs = readOutputs(decodeExpertResponse(hex(bytes)), 2, 4)
    expect(outputs).toMatchObject({ dtype: 'bfloat16', shape: [1, 2, 4] })
    expect(Array.from(copyValues(outputs))).toEqual(decoded)
  })

  it.each<[FloatDtype, number]>([
    ['float32', NaN],
    ['float32', -Infinity],
    ['float32', 1e30],
    ['float16', NaN],
    ['float16', Infinity],
    ['bfloat16', NaN],
    ['bfloat16', 1e30],
  ])('%s with %f is refused', (dtype, bad) => {
    const tensor = encodeTensor(hidden(Float32Array.of(1, 2, bad, 4), 4, dtype), compressions.none)
    expect(() => readOutputs({ tensors: [tensor], metadata: new Uint8Array(0) }, 1, 4)).toThrow(ProtocolError)
  })

  it.each<FloatDtype>(['float32', 'float16', 'bfloat16'])(
    'a token of zeros in %s is refused, one with a value is not',
    (dtype) => {
      const response = (...values: readonly number[]) => ({
        tensors: [encodeTensor(hidden(Float32Array.from(values), 4, dtype))],
        metadata: new Uint8Array(0),
      })
      expect(() => readOutputs(response(1, 1, 1, 1, 0, -0, 0, 0), 2, 4)).toThrow(/all zero/)
      expect(readOutputs(response(1, 1, 1, 1, 0, 0, 0, 0.5), 2, 4).shape).toEqual([1, 2, 4])
    },
  )
})

describe('the history of inputs', () => {
  const chunk = fc.record({
    tokens: fc.integer({ min: 1, max: 5 }),
    dtype: fc.constantFrom<FloatDtype>('float32', 'float16', 'bfloat16'),
    seed: fc.nat(1000),
  })

  it('returns any range of the inputs that were appended, of any types and after any truncations', () => {
    const property = fc.property(
      fc.array(fc.tuple(chunk, fc.option(fc.nat(20), { nil: undefined })), { maxLength: 10 }),
      fc.nat(30),
      fc.nat(30),
      (operations, from, length) => {
        const history = new InputHistory(3)
        const model: number[] = []
        for (const [{ tokens, dtype, seed }, truncateTo] of operations) {
          // Small integers: exact in every type.
          const values = Float32Array.from({ length: tokens * 3 }, (_, i) => (seed + i) % 100)
          history.append(hidden(values, 3, dtype))
          model.push(...values)
          if (truncateTo === undefined) continue
          history.truncate(truncateTo)
          model.length = Math.min(model.length, truncateTo * 3)
        }
        expect(history.length).toBe(model.length / 3)
        const start = Math.min(from, history.length)
        const end = Math.min(start + length, history.length)
        for (const dtype of ['float32', 'float16', 'bfloat16'] as const) {
          const slice = history.slice(start, end, dtype)
          expect(slice.shape).toEqual([1, end - start, 3])
          expect(Array.from(tensorValues(slice))).toEqual(model.slice(start * 3, end * 3))
        }
      },
    )
    fc.assert(property, { numRuns: 300 })
  })

  it("is sent in its own type or the server's, whichever is narrower", () => {
    const history = new InputHistory(2)
    history.append(hidden(Float32Array.of(1, 2), 2, 'bfloat16'))
    expect(history.slice(0, 1, 'float32').dtype).toBe('bfloat16')
    const wide = new InputHistory(2)
    wide.append(hidden(Float32Array.of(1, 2), 2))
    expect(wide.slice(0, 1, 'bfloat16').dtype).toBe('bfloat16')
    expect(wide.slice(0, 1, 'float32').dtype).toBe('float32')
  })

  it('stores embeddings of 16-bit checkpoints in 16 bits, and others unchanged', () => {
    const exact = (values: Float32Array, dtype: FloatDtype): void => {
      const tensor = compactTensor(values, [1, 1, values.length])
      expect(tensor.dtype).toBe(dtype)
      expect(copyValues(tensor)).toEqual(values)
    }
    exact(Float32Array.of(1, -0.5, 3.140625), 'bfloat16')
    exact(Float32Array.of(1, 0.0999755859375), 'float16')
    exact(Float32Array.of(1, 0.1), 'float32')
  })
})

describe('deadlines', () => {
  it('follow the time that a server usually takes', () => {
    const times = new StepTimes()
    expect(times.deadlineMs(peer, 1)).toBe(8000)
    times.record(peer, 1, 50)
    expect(times.deadlineMs(peer, 1)).toBe(4000)
    for (let i = 0; i < 20; i++) times.record(peer, 1, 50)
    expect(times.deadlineMs(peer, 1)).toBe(2000)
    for (let i = 0; i < 200; i++) times.record(peer, 1, 1000)
    expect(times.deadlineMs(peer, 1)).toBe(6000)
    expect(times.expectedMs(peer, 1)).toBe(1000)
  })

  it('grow in proportion for more tokens than ever before, and do not shrink for fewer', () => {
    const times = new StepTimes()
    for (let i = 0; i < 10; i++) times.record(peer, 100, 1000)
    expect(times.deadlineMs(peer, 1000)).toBe(48_000)
    expect(times.deadlineMs(peer, 2)).toBe(6000)
  })

  it('grow after each one that has passed, up to three minutes', () => {
    const times = new StepTimes()
    expect(times.deadlineMs(peer, 1, { scale: 4 })).toBe(32_000)
    expect(times.deadlineMs(peer, 1, { scale: 1000 })).toBe(180_000)
  })

  it('follow the speed that a server announces until more is known', () => {
    const times = new StepTimes()
    expect(times.deadlineMs(peer, 128, { claimedMs: 5000 })).toBe(30_000)
    for (let i = 0; i < 10; i++) times.record(peer, 128, 500)
    expect(times.deadlineMs(peer, 128, { claimedMs: 5000 })).toBe(3000)
  })

  it('let a server take long for a token that always does or announces it, but not one that gets slower and slower', () => {
    const times = new StepTimes()
    expect(times.deadlineMs(peer, 1, { claimedMs: 40_000 })).toBe(80_000)
    for (let i = 0; i < 10; i++) times.record(peer, 1, 40_000)
    expect(times.deadlineMs(peer, 1)).toBe(180_000)

    const slower = new StepTimes()
    slower.record(peer, 1000, 100_000)
    expect(slower.deadlineMs(peer, 1)).toBe(30_000)
    slower.record(peer, 1, 8000)
    for (let i = 0; i < 100; i++) slower.record(peer, 1, slower.deadlineMs(peer, 1))
    expect(slower.deadlineMs(peer, 1)).toBe(48_000)
  })

  it('for opening a session depend on how quick the server was before', () => {
    const times = new StepTimes()
    expect(times.openingDeadlineMs(peer, 5000)).toBe(5000)
    times.recordOpening(peer, 20)
    expect(times.openingDeadlineMs(peer, 5000)).toBe(2000)
    expect(times.deadlineMs(peer, 1)).toBe(8000)
    times.recordOpening(peer, 3000)
    expect(times.openingDeadlineMs(peer, 5000)).toBe(5000)
  })
})

describe('the length to request', () => {
  const span = (cacheTokensLeft?: number): Span => ({
    peer,
    start: 0,
    end: 10,
    server: { state: 'online', throughput: 1, adapters: [], cacheTokensLeft },
  })

  it('is one and a half times what is needed, rounded up', () => {
    expect(sessionLength({ needed: 36, maximum: 8192, span: span() })).toBe(320)
    expect(sessionLength({ needed: 2000, maximum: 8192, span: span() })).toBe(3008)
  })

  it('never exceeds the limit of the session or the server, and is never less than what is needed', () => {
    expect(sessionLength({ needed: 36, maximum: 100, span: span() })).toBe(100)
    expect(sessionLength({ needed: 36, maximum: 8192, limit: 256, span: span() })).toBe(256)
    expect(sessionLength({ needed: 300, maximum: 8192, limit: 256, span: span() })).toBe(300)
  })

  it('is the whole session where the server has plenty', () => {
    expect(sessionLength({ needed: 36, maximum: 2048, span: span(2048 * 2 * 10 * 8) })).toBe(2048)
    expect(sessionLength({ needed: 36, maximum: 2048, span: span(2048 * 2 * 10 * 8 - 1) })).toBe(320)
  })
})
