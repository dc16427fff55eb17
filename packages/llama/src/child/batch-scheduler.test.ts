import { describe, expect, it } from 'vitest'
import { BatchScheduler, type Work } from './batch-scheduler.ts'
import type { NativeContext } from './native.ts'
import { Sequence } from './sequence.ts'
import { ThreadGovernor } from './thread-governor.ts'

/** Notes the sequences of each step. */
class NotingContext implements Pick<
  NativeContext,
  'initBatch' | 'addToBatch' | 'decodeBatch' | 'setThreads'
> {
  readonly steps: number[][] = []

  initBatch(): void {
    this.steps.push([])
  }
  addToBatch(sequence: number, _position: number, _tokens: Uint32Array, logits: Uint32Array): Uint32Array {
    this.steps.at(-1)!.push(sequence)
    return logits
  }
  async decodeBatch(): Promise<void> {}
  setThreads(): void {}
}

const open = () => {
  const context = new NotingContext()
  const native = context as unknown as NativeContext
  const governor = new ThreadGovernor([1])
  const scheduler = new BatchScheduler({ context: native, governor, batchSize: 64, onDispatch: () => {} })
  const sequences = Array.from({ length: 4 }, (_, id) => new Sequence(id, native))
  const work = (id: number, count: number): Work => ({
    sequence: sequences[id]!,
    tokens: Array.from({ length: count }, (_, token) => token),
    logits: 'last',
    signal: new AbortController().signal,
  })
  return { context, scheduler, work }
}

describe('BatchScheduler', () => {
  it('gives llama.cpp the sequences of a step in their order, whichever asked first', async () => {
    const { context, scheduler, work } = open()
    await Promise.all(
      [work(2, 1), work(3, 5), work(0, 1), work(1, 3)].map((each) => scheduler.evaluate(each)),
    )
    expect(context.steps).toEqual([[0, 1, 2, 3]])
  })

  it('ends a long prompt while shorter ones keep coming, in every fourth step', async () => {
    const { context, scheduler, work } = open()
    let isRead = false
    const long = scheduler.evaluate(work(0, 200)).then(() => (isRead = true))
    const keepComing = async (id: number) => {
      while (!isRead && context.steps.length < 100) await scheduler.evaluate(work(id, 20))
    }
    await Promise.all([long, keepComing(1), keepComing(2), keepComing(3)])
    expect(isRead).toBe(true)
    const turns = [...context.steps.keys()].filter((step) => context.steps[step]!.includes(0))
    expect(turns.slice(0, 3)).toEqual([3, 7, 11])
  })
})
