import { describe, expect, it } from 'vitest'
import { planBatch, type Plannable } from './plan-batch.ts'

const work = (total: number, done = 0, logits: Plannable['logits'] = 'last'): Plannable => ({
  tokens: { length: total } as unknown[],
  done,
  logits,
})
const counts = (works: readonly Plannable[], batchSize = 512, speed: number | 'unknown' = 1) => {
  const prefillTokensPerMs = speed === 'unknown' ? undefined : speed
  const parts = planBatch(works, { batchSize, prefillTokensPerMs })
  return works.map((each) => parts.find((part) => part.work === each)?.count ?? 0)
}

describe('planBatch', () => {
  it('gives each decoding request one token', () => {
    expect(counts([work(1), work(1), work(1)])).toEqual([1, 1, 1])
    expect(counts([work(100, 99)])).toEqual([1])
  })

  it('shares the rest among prompts', () => {
    expect(counts([work(1000), work(1000)])).toEqual([200, 200])
    expect(counts([work(10), work(1000), work(1000)])).toEqual([10, 195, 195])
  })

  it('computes less of a prompt while other requests wait for their next token', () => {
    expect(counts([work(1), work(1000)])).toEqual([1, 150])
    expect(counts([work(1000)])).toEqual([400])
  })

  it('adapts to the speed of the machine, within bounds', () => {
    expect(counts([work(1000)], 512, 100)).toEqual([512])
    expect(counts([work(1000)], 512, 0.1)).toEqual([64])
    expect(counts([work(1), work(1000)], 512, 0.1)).toEqual([1, 16])
    expect(counts([work(1000)], 512, 0.001)).toEqual([16])
    expect(counts([work(1000)], 512, 'unknown')).toEqual([64])
  })

  it('never exceeds the batch size', () => {
    expect(
      counts(
        Array.from({ length: 5 }, () => work(1)),
        3,
      ),
    ).toEqual([1, 1, 1, 0, 0])
    expect(counts([work(1), work(1), work(900)], 2, 100)).toEqual([1, 1, 0])
  })

  it('limits the logits of a step', () => {
    expect(counts([work(1000, 0, 'all')], 512, 100)).toEqual([32])
  })
})
