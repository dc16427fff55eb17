import { describe, expect, it } from 'vitest'
import { planContext, type ContextDemands } from './plan-context.ts'

const GiB = 2 ** 30
const smol: ContextDemands = {
  trainedLength: 8192,
  kvBytesPerToken: 23_040,
  sequences: undefined,
  contextLength: undefined,
  memoryBytes: 16 * GiB,
  onGpu: false,
}

describe('planContext', () => {
  it('plans four sessions that hold most dialogues', () => {
    expect(planContext(smol)).toEqual({ sequences: 4, contextLength: 8192, kvCacheBytes: 4 * 8192 * 23_040 })
  })

  it('plans longer sessions on a GPU, never longer than the model was trained for', () => {
    expect(planContext({ ...smol, onGpu: true }).contextLength).toBe(8192)
    expect(planContext({ ...smol, trainedLength: 131_072, onGpu: true }).contextLength).toBe(16_384)
    expect(planContext({ ...smol, contextLength: 100_000 }).contextLength).toBe(8192)
  })

  it('shortens sessions, then plans fewer of them, when memory is short', () => {
    const llama70b = { ...smol, kvBytesPerToken: 327_680, trainedLength: 4096 }
    expect(planContext({ ...llama70b, memoryBytes: 16 * GiB })).toMatchObject({
      sequences: 4,
      contextLength: 2048,
    })
    expect(planContext({ ...llama70b, memoryBytes: 4 * GiB })).toMatchObject({
      sequences: 3,
      contextLength: 1024,
    })
    expect(planContext({ ...llama70b, memoryBytes: 1 * GiB })).toMatchObject({
      sequences: 1,
      contextLength: 512,
    })
    expect(planContext({ ...llama70b, memoryBytes: 0 })).toMatchObject({ sequences: 1, contextLength: 64 })
  })

  it('never changes what the config sets', () => {
    const demands = { ...smol, sequences: 10, contextLength: 8000, memoryBytes: 1 }
    expect(planContext(demands)).toMatchObject({ sequences: 10, contextLength: 8000 })
    expect(planContext({ ...smol, sequences: 2, memoryBytes: GiB / 4 })).toMatchObject({
      sequences: 2,
      contextLength: 1024,
    })
  })
})
