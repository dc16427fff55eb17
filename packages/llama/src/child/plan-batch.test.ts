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

  it('computes the prompts that end first, in the order in which they came if they are as long', () => {
    expect(counts([work(300), work(300), work(300)])).toEqual([300, 100, 0])
    expect(counts([work(300), work(20), work(1000, 950), work(250)])).toEqual([100, 20, 50, 230])
  })

  it('keeps a part of the step for the prompt that came first', () => {
    expect(counts([work(1000), work(300), work(300)])).toEqual([100, 300, 0])
    expect(counts([work(30), work(1000), work(1000)])).toEqual([30, 370, 0])
  })

  it('ends a long prompt while shorter ones keep coming', () => {
    const long = { ...work(2000), done: 0 }
    for (let step = 0; step < 20; step++) {
      const [part] = planBatch([long, ...Array.from({ length: 9 }, () => work(100))], {
        batchSize: 512,
        prefillTokensPerMs: 1,
      }).filter((each) => each.work === long)
      long.done += part!.count
    }
    expect(long.done).toBe(2000)
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
