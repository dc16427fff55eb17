import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { openBlockModel, startBlockEngine, type BlockEngine } from '@petals-chat/blocks'
import { openWeightIndex } from '@petals-chat/petals/weights'
import { describe, expect, it } from 'vitest'
import { ensureModel, findModel } from '../../../swarm/models.ts'
import { python } from '../../../swarm/paths.ts'
import { folderFiles } from '../../support/folder-files.ts'
import { defaultModelPath } from '../../support/model.ts'

const script = fileURLToPath(new URL('./greedy_check.py', import.meta.url))
/** Ids that are compared for each of the five prompts; 128 for the whole proof. */
const count = Number(process.env['GREEDY_TOKENS'] ?? 16)

/** Five prompts of ids that most vocabularies use for words. */
const prompts = [
  [1, 338, 427, 253, 655],
  [1, 504, 3575, 282, 4649, 314, 260, 1200, 284, 1123],
  [1, 9906, 253, 655, 28, 665, 436, 253, 3, 1700, 501, 11],
  [1, 1848, 418, 346, 5248, 47, 12],
  [1, 700, 800, 900, 1000, 1100, 1200, 1300, 1400, 1500, 1600, 1700, 1800, 1900, 2000, 2100],
]

/** The embedding, final norm and head of a model of Llama's family whose head is tied, in plain arithmetic. */
class LocalLayers {
  readonly hidden: number
  readonly #embedding: Float32Array
  readonly #norm: Float32Array
  readonly #epsilon: number

  private constructor(embedding: Float32Array, norm: Float32Array, epsilon: number) {
    this.#embedding = embedding
    this.#norm = norm
    this.#epsilon = epsilon
    this.hidden = norm.length
  }

  static async open(folder: string): Promise<LocalLayers> {
    const files = folderFiles(folder)
    const index = await openWeightIndex(files)
    const read = async (name: string): Promise<Float32Array> => {
      const { file, start, end } = await index.find([name])
      return new Float32Array((await files.range(file, start, end)).slice().buffer)
    }
    const config = JSON.parse(await readFile(path.join(folder, 'config.json'), 'utf8')) as {
      rms_norm_eps: number
    }
    return new LocalLayers(
      await read('model.embed_tokens.weight'),
      await read('model.norm.weight'),
      config.rms_norm_eps,
    )
  }

  embed(ids: readonly number[]): Float32Array {
    const states = new Float32Array(ids.length * this.hidden)
    for (const [index, id] of ids.entries())
      states.set(this.#embedding.subarray(id * this.hidden, (id + 1) * this.hidden), index * this.hidden)
    return states
  }

  next(state: Float32Array): number {
    const mean = state.reduce((sum, value) => sum + value * value, 0) / this.hidden
    const normed = state.map((value, index) => (value / Math.sqrt(mean + this.#epsilon)) * this.#norm[index]!)
    let [best, bestLogit] = [0, -Infinity]
    for (let id = 0; id < this.#embedding.length / this.hidden; id++) {
      let logit = 0
      for (let index = 0, at = id * this.hidden; index < this.hidden; index++, at++)
        logit += normed[index]! * this.#embedding[at]!
      if (logit > bestLogit) [best, bestLogit] = [id, logit]
    }
    return best
  }
}

/** Answers a prompt over two spans, as two servers would compute it. */
async function answer(
  engines: readonly BlockEngine[],
  layers: LocalLayers,
  prompt: readonly number[],
): Promise<number[]> {
  const ids = [...prompt]
  const caches = await Promise.all(
    engines.map((engine) => {
      const { start, end } = engine.info
      return engine.openCache({ start, end, batch: 1, maxLength: 256, timeoutMs: 0 })
    }),
  )
  let fresh = prompt
  for (let step = 0; step < count; step++) {
    let states = layers.embed(fresh)
    for (const [index, cache] of caches.entries()) {
      const { start, end } = engines[index]!.info
      states = await cache.step({ start, end, batch: 1, tokens: fresh.length, states })
    }
    const id = layers.next(states.subarray(-layers.hidden))
    ids.push(id)
    fresh = [id]
  }
  await Promise.all(caches.map((cache) => cache[Symbol.asyncDispose]()))
  return ids.slice(prompt.length)
}

/** How many of the first ids of each answer are transformers' own. */
async function equalIds(folder: string, answers: readonly (readonly number[])[]): Promise<readonly number[]> {
  const child = spawn(python, [script, folder], { stdio: ['pipe', 'pipe', 'ignore'] })
  for (const [index, each] of answers.entries())
    child.stdin.write(`${JSON.stringify({ prompt: prompts[index], answer: each })}\n`)
  child.stdin.end()
  return (await text(child.stdout)).trim().split('\n').map(Number)
}

describe('greedy answers over two spans are those of transformers', () => {
  it.each(['stories15M', 'SmolLM2-135M-Instruct'])('%s', async (name) => {
    const swarmModel = findModel(name)
    const folder = await ensureModel(swarmModel)
    const model = await openBlockModel(folderFiles(folder))
    const middle = Math.floor(model.shape.blocks / 2)
    const start = (from: number, to: number) =>
      startBlockEngine({ model, start: from, end: to, cacheType: 'f32', cacheTokens: 2048 })
    await using first = await start(0, middle)
    await using second = await start(middle, model.shape.blocks)
    const layers = await LocalLayers.open(folder)
    // All sessions at once: their steps are computed together.
    const answers = await Promise.all(prompts.map((prompt) => answer([first, second], layers, prompt)))
    expect(await equalIds(folder, answers)).toEqual(prompts.map(() => count))
  })
})

it('a quantized GGUF file computes the blocks of the weights in it', async () => {
  // The swarm's SmolLM2 has the same weights as numbers: only the precision of the computation differs.
  const folder = await ensureModel(findModel('SmolLM2-135M-Instruct'))
  const gguf = await defaultModelPath()
  const open = async (place: string, file?: string) =>
    await startBlockEngine({
      model: await openBlockModel(folderFiles(place), { file }),
      start: 3,
      end: 6,
      cacheTokens: 512,
    })
  await using exact = await open(folder)
  await using quantized = await open(path.dirname(gguf), path.basename(gguf))
  expect(quantized.info.quantization).toBe('q4_1')
  const layers = await LocalLayers.open(folder)
  const states = layers.embed(prompts.flat())
  const pass = { start: 3, end: 6, batch: 1, tokens: states.length / layers.hidden, states }
  const [expected, actual] = [await exact.forward(pass), await quantized.forward(pass)]
  const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0))
  const error = norm(actual.map((value, index) => value - expected[index]!)) / norm(expected)
  expect(error).toBeLessThan(0.05)
})
