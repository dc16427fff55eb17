import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openLocalLayers, type LocalLayers } from '../../packages/petals/src/layers/local-layers.ts'
import { openTokenizer } from '../../packages/petals/src/layers/tokenizer.ts'
import { createFilter } from '../../packages/petals/src/sampling/filters.ts'
import { describeToken } from '../../packages/petals/src/sampling/logprobs.ts'
import { bestToken, topK } from '../../packages/petals/src/sampling/ranking.ts'
import type { Logits } from '../../packages/petals/src/tensor/logits.ts'
import { ensureModel, findModel, swarmModels } from '../../swarm/models.ts'
import { python } from '../../swarm/paths.ts'
import { run } from '../../swarm/run.ts'
import { folderFiles } from '../support/folder-files.ts'

const script = fileURLToPath(new URL('local_layers.py', import.meta.url))

const texts = [
  'The capital of France is',
  '<|im_start|>user\nTell me a story about a fox and a crow.<|im_end|>\n<|im_start|>assistant\nOnce upon a time, in',
  'def fibonacci(n):\n    if n < 2:\n        return n\n    return',
  'Die Schönheit der Mathematik 数学之美 🙂 — 3.14159',
  'a a a a a a a a a a a a',
]

/** As in local_layers.py: filters are compared at every sixth position. */
const filteredEvery = 6
const keptOfTopK = 40
const nuclei = [
  { temperature: 0.6, topP: 0.9 },
  { temperature: 1, topP: 0.95 },
]

/** transformers adds up to 250,880 probabilities in float32: where its sum is this close to top-p, its rounding decides. */
const sumTolerance = 1e-6

/** transformers sums in float32 and in another order, so logits of the same model differ by up to this much. */
const tolerance = 1e-3

interface Reference {
  readonly embeddings: Float32Array
  readonly hidden: Float32Array
  readonly logits: Float32Array
  readonly topK: readonly (readonly number[])[]
  readonly topP: readonly (readonly (readonly number[])[])[]
}

async function askTransformers(model: string, prompts: readonly number[][], out: string): Promise<Reference> {
  const answer = await run(python, [script], { input: JSON.stringify({ model, prompts, out }) })
  const floats = async (name: string): Promise<Float32Array> =>
    new Float32Array(new Uint8Array(await readFile(path.join(out, name))).buffer)
  return {
    ...(JSON.parse(answer) as Pick<Reference, 'topK' | 'topP'>),
    embeddings: await floats('embeddings'),
    hidden: await floats('hidden'),
    logits: await floats('logits'),
  }
}

const largestDifference = (ours: Float32Array, theirs: Float32Array): number =>
  ours.reduce((worst, value, i) => Math.max(worst, Math.abs(value - theirs[i]!)), 0)

describe.each(swarmModels.map(({ name }) => name))('local layers of %s', (name) => {
  let out: string
  let layers: LocalLayers
  let reference: Reference
  let tokens: number[]
  let screened: readonly Logits[]
  const logitsAt = (position: number): Float32Array =>
    reference.logits.subarray(
      position * layers.architecture.vocabularySize,
      (position + 1) * layers.architecture.vocabularySize,
    )

  beforeAll(async () => {
    out = await mkdtemp(path.join(tmpdir(), 'petals-chat-layers-'))
    const folder = await ensureModel(findModel(name))
    const files = folderFiles(folder)
    layers = await openLocalLayers(files, { folder: out, threads: 1 })
    const { tokenizer } = await openTokenizer(files, layers.architecture, undefined)
    const prompts = texts.map((text) => tokenizer.encode(text))
    tokens = prompts.flat()
    reference = await askTransformers(folder, prompts, out)
    const shape = [tokens.length, layers.architecture.hiddenSize] as const
    screened = await layers.logits({ shape, data: reference.hidden })
  })
  afterAll(async () => {
    await layers?.[Symbol.asyncDispose]()
    await rm(out, { recursive: true, force: true })
  })

  it('embeds as transformers does', () => {
    const { shape, data } = layers.embed(tokens)
    expect(shape).toEqual([tokens.length, layers.architecture.hiddenSize])
    expect(data.length).toBe(reference.embeddings.length)
    // Without a norm the bits are equal; with one, the order of the sums may change the last bits.
    const allowed = layers.architecture.embeddingNorm ? 2e-6 : 0
    expect(largestDifference(data, reference.embeddings)).toBeLessThanOrEqual(allowed)
  })

  it('gives the logits of transformers, within the bounds that it reports', () => {
    screened.forEach((logits, position) => {
      const theirs = logitsAt(position)
      for (let token = 0; token < logits.size; token++) {
        const difference = Math.abs(logits.estimate(token) - theirs[token]!)
        if (difference > logits.margin(token) + tolerance) {
          expect.fail(`token ${token} at ${position}: ${difference} is outside of ${logits.margin(token)}`)
        }
      }
    })
    // All exact logits of one position, and all logits that any choice read.
    const [position, logits] = [...screened.entries()].at(-1)!
    const exact = Float32Array.from({ length: logits.size }, (_, token) => logits.exact(token))
    expect(largestDifference(exact, logitsAt(position))).toBeLessThan(tolerance)
  })

  it('chooses the same most probable token', () => {
    screened.forEach((logits, position) => {
      const theirs = logitsAt(position)
      expect(bestToken(logits).token).toBe(theirs.indexOf(Math.max(...theirs)))
    })
  })

  it('keeps the same tokens as top-k and top-p of transformers', () => {
    let compared = 0
    reference.topK.forEach((_, index) => {
      const position = index * filteredEvery
      const logits = screened[position]!
      const theirs = logitsAt(position)
      const compare = (
        ours: readonly number[],
        expected: readonly number[],
        isAtTheCut = (_token: number): boolean => false,
      ): void => {
        const border = Math.min(...expected.map((token) => theirs[token]!))
        const expectedSet = new Set(expected)
        const oursSet = new Set(ours)
        const different = [...oursSet.symmetricDifference(expectedSet)]
        // Except tokens whose logits differ from the cut-off only by rounding: there transformers' own float32 sums decide.
        const real = different.filter(
          (token) => Math.abs(theirs[token]! - border) > 1e-4 && !isAtTheCut(token),
        )
        expect(real, `position ${position}`).toEqual([])
        compared += expected.length
      }
      compare(
        topK(logits, keptOfTopK).map(({ token }) => token),
        reference.topK[index]!,
      )
      nuclei.forEach((params, each) =>
        compare(
          allowedTokens(logits, params),
          reference.topP[each]![index]!,
          (token) => Math.abs(massAbove(theirs, token, params.temperature) - params.topP) < sumTolerance,
        ),
      )
    })
    expect(compared).toBeGreaterThan((screened.length / filteredEvery) * keptOfTopK)
  })

  it('gives the log probabilities of transformers', () => {
    screened.forEach((logits, position) => {
      const theirs = logitsAt(position)
      const highest = Math.max(...theirs)
      const logSum = highest + Math.log(theirs.reduce((sum, value) => sum + Math.exp(value - highest), 0))
      const token = tokens[position + 1] ?? 0
      const { logprob, topLogprobs } = describeToken(logits, token, 5)
      expect(Math.abs(logprob! - (theirs[token]! - logSum))).toBeLessThan(2 * tolerance)
      for (const each of topLogprobs) {
        expect(Math.abs(each.logprob - (theirs[each.token]! - logSum))).toBeLessThan(2 * tolerance)
      }
    })
  })
})

/** Returns the probability of all tokens that are more probable than this one, summed in float64. */
function massAbove(logits: Float32Array, token: number, temperature: number): number {
  const best = Math.max(...logits)
  let [above, all] = [0, 0]
  for (const logit of logits) {
    const weight = Math.exp((logit - best) / temperature)
    all += weight
    if (logit > logits[token]!) above += weight
  }
  return above / all
}

/** Returns all tokens that may be drawn. They are the first ones of the ranking; bisection finds where they end. */
function allowedTokens(logits: Logits, params: (typeof nuclei)[number]): number[] {
  const allows = createFilter(logits, params, bestToken(logits))
  const ranked = topK(logits, logits.size)
  let low = 0
  let high = ranked.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (allows(ranked[middle]!)) low = middle + 1
    else high = middle
  }
  return ranked.slice(0, low).map(({ token }) => token)
}
