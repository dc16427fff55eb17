import { describe, expect, it } from 'vitest'
import { planBatch, type Plannable } from './plan-batch.ts'

const work = (total: number, done = 0, logits: Plannable['logits'] = 'last'): Plannable => ({
  tokens: { length: total } as unknown[],
  done,
  logits,
})
const counts = (
  works: readonly Plannable[],
  {
    batchSize = 512,
    speed = 1,
    isTurnOfFirst = false,
  }: { batchSize?: number; speed?: number | 'unknown'; isTurnOfFirst?: boolean } = {},
) => {
  const prefillTokensPerMs = speed === 'unknown' ? undefined : speed
  const parts = planBatch(works, { batchSize, prefillTokensPerMs, isTurnOfFirst })
  return works.map((each) => parts.find((part) => part.work === each)?.count ?? 0)
}

describe('planBatch', () => {
  it('gives each decoding request one token', () => {
    expect(counts([work(1), work(1), work(1)])).toEqual([1, 1, 1])
    expect(counts([work(100, 99)])).toEqual([1])
  })

  it('computes the prompts that end first, in the order in which they came if they are about as long', () => {
    expect(counts([work(300), work(300), work(300)])).toEqual([300, 100, 0])
    expect(counts([work(310), work(300), work(300)])).toEqual([310, 90, 0])
    expect(counts([work(300), work(20), work(1000, 950), work(200)])).toEqual([130, 20, 50, 200])
  })

  it('begins no prompt with a part that is too small to be efficient', () => {
    expect(counts([work(180), work(180), work(180)])).toEqual([180, 180, 0])
  })

  it('ends a prompt that is little longer than the step', () => {
    expect(counts([work(500), work(500)])).toEqual([500, 0])
    expect(counts([work(501), work(600)])).toEqual([400, 0])
    expect(counts([work(500)], { batchSize: 450 })).toEqual([400])
  })

  it('begins with the prompt that came first when it is its turn', () => {
    expect(counts([work(1000), work(300), work(300)], { isTurnOfFirst: true })).toEqual([400, 0, 0])
    expect(counts([work(1), work(1000), work(40)], { isTurnOfFirst: true })).toEqual([1, 400, 0])
    expect(counts([work(300), work(30), work(30)], { isTurnOfFirst: true })).toEqual([300, 30, 30])
  })

  it('computes less of a prompt while other requests wait for their next token', () => {
    expect(counts([work(1), work(1000)])).toEqual([1, 150])
    expect(counts([work(1), work(1000)], { isTurnOfFirst: true })).toEqual([1, 150])
    expect(counts([work(1000)])).toEqual([400])
  })

  it('computes more of them if they end, or if more requests wait for their first token', () => {
    expect(counts([work(1), work(190), work(190), work(190)])).toEqual([1, 190, 190, 0])
    expect(counts([work(1), work(1), work(1), work(900), work(900), work(900), work(900)])).toEqual([
      1, 1, 1, 200, 0, 0, 0,
    ])
    expect(counts([work(1), ...Array.from({ length: 9 }, () => work(900))]).slice(0, 3)).toEqual([1, 400, 0])
  })

  it('adapts to the speed of the machine, within bounds', () => {
    expect(counts([work(1000)], { speed: 100 })).toEqual([512])
    expect(counts([work(1000)], { speed: 0.1 })).toEqual([64])
    expect(counts([work(1), work(1000)], { speed: 0.1 })).toEqual([1, 16])
    expect(counts([work(1000)], { speed: 0.001 })).toEqual([16])
    expect(counts([work(1000)], { speed: 'unknown' })).toEqual([64])
  })

  it('never exceeds the batch size', () => {
    expect(
      counts(
        Array.from({ length: 5 }, () => work(1)),
        { batchSize: 3 },
      ),
    ).toEqual([1, 1, 1, 0, 0])
    expect(counts([work(1), work(1), work(900)], { batchSize: 2, speed: 100 })).toEqual([1, 1, 0])
  })

  it('limits the logits of a step', () => {
    expect(counts([work(1000, 0, 'all')], { speed: 100 })).toEqual([32])
  })
})
