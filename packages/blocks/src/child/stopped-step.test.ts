import { findLlamaLibraries } from '@petals-chat/llama'
import { afterAll, describe, expect, it } from 'vitest'
import { Backend, openGgml } from '@petals-chat/ggml/native'
import type { StepGraph } from '../graph/step-graph.ts'
import type { BlockShape } from '../model/block-shape.ts'
import { RandomBlocks } from '../testing/random-blocks.ts'
import { GraphCache } from './graph-cache.ts'
import { checkShape, checkValues, relativeError } from './self-check.ts'

/** Large enough to compute for many milliseconds on any machine. */
const shape: BlockShape = {
  ...checkShape,
  blocks: 2,
  hiddenSize: 512,
  heads: 8,
  kvHeads: 4,
  headSize: 64,
  feedForwardSize: 2048,
  contextLength: 512,
}
const tokens = 256
const cellCount = 1024
const resources = new DisposableStack()
const backend = resources.use(new Backend(openGgml(findLlamaLibraries()!.folder), 'cpu'))
const { loaded } = resources.use(new RandomBlocks(backend, shape, cellCount))
const graphs = resources.use(new GraphCache(backend, loaded))
const whole = graphFor(tokens, tokens)
afterAll(() => resources.dispose())

/** The graph of a sequence whose last tokens are computed. */
function graphFor(count: number, kvLength: number): StepGraph {
  const rows = [{ count, kvLength, starts: Array<number>(shape.blocks).fill(0) }]
  return graphs.get(`${count}/${kvLength}`, { from: 0, to: shape.blocks, rows, hasPrompts: false })
}

function run(threads: number, limitMs?: number): Promise<Float32Array | undefined> {
  backend.setThreads(threads)
  return whole.run({ states: checkValues(99, tokens * shape.hiddenSize), positions: [0] }, { limitMs })
}

async function decode(threads: number, kvLength: number): Promise<Float32Array> {
  backend.setThreads(threads)
  const inputs = { states: checkValues(98, shape.hiddenSize), positions: [kvLength - 1] }
  return (await graphFor(1, kvLength).run(inputs))!
}

describe('a step', () => {
  it('has the same bits whatever the number of threads', async () => {
    const one = await run(1)
    expect(one!.some((value) => value !== 0)).toBe(true)
    expect(await run(2)).toEqual(one)
    expect(await run(3)).toEqual(one)
    expect(await decode(2, 256)).toEqual(await decode(1, 256))
  })

  // ggml then gives each thread a part of the cells, and adds up their sums (ggml_compute_forward_flash_attn_ext).
  it('of one token after 512 and more has the same values within the precision of float32', async () => {
    const one = await decode(1, cellCount)
    expect(relativeError(await decode(2, cellCount), one)).toBeLessThan(2e-6)
  })

  it('is stopped at its limit, and has the same bits when it is computed anew', async () => {
    const all = await run(1)
    expect(await run(2, 1)).toBeUndefined()
    expect(await run(1, 1)).toBeUndefined()
    expect(await run(1)).toEqual(all)
  })

  it('ends if it is faster than its limit', async () => {
    expect(await run(1, 3_600_000)).toBeDefined()
  })
})
