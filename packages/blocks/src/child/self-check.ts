import { Backend, DeviceTensors, type Ggml } from '@petals-chat/ggml/native'
import type { LoadedBlocks } from '../graph/step-graph.ts'
import { kvSize, type BlockShape } from '../model/block-shape.ts'
import { ggmlTypes } from '@petals-chat/ggml'
import type { EngineSettings } from '../protocol.ts'
import { KvPool } from './kv-pool.ts'
import { expectedOutput } from './self-check-output.ts'
import { StepRunner } from './step-runner.ts'

/** A small block of the Llama family, with grouped heads. */
export const checkShape: BlockShape = {
  kind: 'llama',
  modelType: 'llama',
  blocks: 1,
  hiddenSize: 64,
  heads: 4,
  kvHeads: 2,
  headSize: 16,
  feedForwardSize: 96,
  normEpsilon: 1e-5,
  contextLength: 64,
  rope: {
    base: 10_000,
    size: 16,
    pairs: 'halves',
    scale: 1,
    factors: undefined,
    magnitude: 1,
    positions: undefined,
  },
  slidingWindow: undefined,
  experts: undefined,
}

/** The weights of the block, `[name, shape]`. */
export const checkWeights: readonly (readonly [string, readonly [number, number]])[] = [
  ['attn_norm', [64, 1]],
  ['attn_q', [64, 64]],
  ['attn_k', [64, 32]],
  ['attn_v', [64, 32]],
  ['attn_output', [64, 64]],
  ['ffn_norm', [64, 1]],
  ['ffn_gate', [64, 96]],
  ['ffn_up', [64, 96]],
  ['ffn_down', [96, 64]],
]

/** Tokens of the first step; a second one has one more. */
export const checkTokens = 5

/** Numbers between −0.5 and 0.5 that are the same everywhere. */
export function checkValues(seed: number, count: number): Float32Array {
  return Float32Array.from(
    { length: count },
    (_, index) => (Math.imul(index + 1 + seed * 7919, 2_654_435_761) >>> 8) / 2 ** 24 - 0.5,
  )
}

/** The relative errors that are allowed: those of float32, and those of 8-bit weights with 16-bit keys and values. */
const tolerances = { f32: 1e-4, q8_0: 3e-2 } as const

/**
 * Computes a known block on known inputs and compares the result with the stored one: a library whose functions mean something
 * else, or a device that computes wrongly, is found before a model is loaded.
 * @param library of the device, in place of the one that llama.cpp prefers
 * @throws Error that says how far the results are apart
 */
export async function selfCheck(
  ggml: Ggml,
  device: EngineSettings['device'],
  library?: string,
): Promise<void> {
  using backend = new Backend(ggml, device, library)
  await check(backend, 'f32', device === 'cpu' ? 'f32' : 'f16')
  await check(backend, 'q8_0', 'f16')
}

async function check(
  backend: Backend,
  type: keyof typeof tolerances,
  cacheType: 'f16' | 'f32',
): Promise<void> {
  using weights = new DeviceTensors(
    backend,
    checkWeights.map(([name, shape]) => spec(name, shape, type)),
  )
  using cache = new DeviceTensors(
    backend,
    Array(2).fill({ type: ggmlTypes[cacheType], shape: [kvSize(checkShape), 64] }),
  )
  cache.clear()
  for (const [index, [name, shape]] of checkWeights.entries())
    setWeight(backend.ggml, weights.tensors[index]!, valuesOf(index), spec(name, shape, type))
  const [keys, values] = [cache.tensors[0]!, cache.tensors[1]!]
  const byName = new Map(checkWeights.map(([name], index) => [`${name}.weight`, weights.tensors[index]!]))
  const loaded: LoadedBlocks = {
    shape: checkShape,
    blocks: [{ weights: byName, keys, values }],
    ropeFactors: undefined,
    cacheElementBytes: cacheType === 'f32' ? 4 : 2,
  }
  const output = await lastOutput(backend, loaded)
  const difference = relativeError(output, expectedOutput)
  const tolerance = cacheType === 'f16' && type === 'f32' ? 1e-2 : tolerances[type]
  if (!(difference <= tolerance))
    throw new Error(
      `llama.cpp's library computes something else than it should on ${backend.device} (a relative error of ` +
        `${difference.toExponential(1)} with ${type} weights). Run \`npm ci\`, or choose another device.`,
    )
}

/** The weights of the block; norms are around 1. */
export function valuesOf(index: number): Float32Array {
  const [name, [inputs, outputs]] = checkWeights[index]!
  const values = checkValues(index + 1, inputs * outputs)
  return name.endsWith('norm') ? values.map((value) => 1 + value / 4) : values.map((value) => value / 4)
}

const spec = (name: string, shape: readonly number[], type: keyof typeof tolerances) => ({
  shape,
  type: name.endsWith('norm') ? ggmlTypes.f32 : ggmlTypes[type],
})

function setWeight(
  ggml: Ggml,
  tensor: number | bigint,
  values: Float32Array,
  { type, shape: [inputs = 1, outputs = 1] }: { readonly type: number; readonly shape: readonly number[] },
): void {
  const bytes = new Uint8Array(ggml.row_size(type, inputs) * outputs)
  ggml.quantize_chunk(type, values, bytes, 0, outputs, inputs, null)
  ggml.backend_tensor_set(tensor, bytes, 0, bytes.length)
}

/** A step of several tokens, then one more token, whose output is returned. */
async function lastOutput(backend: Backend, loaded: LoadedBlocks): Promise<Float32Array> {
  using runner = new StepRunner(backend, loaded)
  const pool = new KvPool(backend, loaded, 64)
  const cache = pool.open(0, { from: 0, to: 1, batch: 1, maxLength: 64 })
  const inputs = checkValues(0, (checkTokens + 1) * checkShape.hiddenSize)
  const first = checkTokens * checkShape.hiddenSize
  const run = (position: number, states: Float32Array) => {
    const count = states.length / checkShape.hiddenSize
    return runner.run({ from: 0, to: 1, items: [{ cache, rowFrom: 0, rowTo: 1, position, count }], states })
  }
  await run(0, inputs.subarray(0, first))
  return await run(checkTokens, inputs.subarray(first))
}

/** |a − b| / |b| in the Euclidean norm. */
export function relativeError(a: Float32Array, b: readonly number[] | Float32Array): number {
  let [difference, size] = [0, 0]
  for (const [index, value] of b.entries()) {
    difference += (a[index]! - value) ** 2
    size += value ** 2
  }
  return Math.sqrt(difference / size)
}
