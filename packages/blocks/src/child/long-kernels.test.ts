import { findLlamaLibraries } from '@petals-chat/llama'
import { afterAll, describe, expect, it } from 'vitest'
import { Backend, openGgml } from '@petals-chat/ggml/native'
import type { BlockShape } from '../model/block-shape.ts'
import { ggmlTypes } from '@petals-chat/ggml'
import { RandomBlocks } from '../testing/random-blocks.ts'
import { KvPool } from './kv-pool.ts'
import { findLongKernels } from './long-kernels.ts'
import { checkShape, checkValues, relativeError } from './self-check.ts'
import { StepRunner } from './step-runner.ts'

const { folder } = findLlamaLibraries()!
const ggml = openGgml(folder)
const resources = new DisposableStack()
const usual = resources.use(new Backend(ggml, 'cpu'))
afterAll(() => resources.dispose())

const faster = () => Promise.resolve([10, 8] as const)
const slower = () => Promise.resolve([10, 9.5] as const)
const find = (measure: typeof faster | typeof slower, from = folder, backend = usual) =>
  findLongKernels(backend, from, ggmlTypes.f32, measure)

const other = await find(faster)
if (other) resources.use(other)

const shape: BlockShape = { ...checkShape, blocks: 2, hiddenSize: 256, feedForwardSize: 512, headSize: 64 }

/** A step of some tokens, and what each kind of kernels makes of it. */
async function run(longSteps: Backend, tokens: number): Promise<Float32Array> {
  using blocks = new RandomBlocks(usual, shape, 64)
  using runner = new StepRunner(usual, blocks.loaded, longSteps)
  const span = { from: 0, to: shape.blocks }
  const cache = new KvPool(usual, blocks.loaded, 64).open(0, { ...span, batch: 1, maxLength: 64 })
  const items = [{ cache, rowFrom: 0, rowTo: 1, position: 0, count: tokens }]
  return await runner.run({ ...span, items, states: checkValues(9, tokens * shape.hiddenSize) })
}

describe.runIf(other)('kernels for long steps', () => {
  it('compute long steps within the precision of float32', async () => {
    const [expected, long] = [await run(usual, 40), await run(other!, 40)]
    expect(relativeError(long, expected)).toBeLessThan(2e-6)
    expect(long, 'the other kernels add up in another order').not.toEqual(expected)
  })

  it('compute no short steps', async () => {
    expect(await run(other!, 5)).toEqual(await run(usual, 5))
  })

  it('are used only if they are faster', async () => {
    expect(await find(slower)).toBeUndefined()
  })

  it('are not used if they compute something else than they should', async () => {
    const faulty = new Proxy(usual, {
      get: (target, name) =>
        name === 'ggml'
          ? { ...ggml, rms_norm: (context: never, x: never) => ggml.rms_norm(context, x, 0.05) }
          : Reflect.get(target, name, target),
    })
    expect(await find(faster, folder, faulty)).toBeUndefined()
  })
})

it('there are none where the build has no such library', async () => {
  expect(await find(faster, import.meta.dirname)).toBeUndefined()
})
