import { fileURLToPath } from 'node:url'
import type { SamplingParams } from '@petals-chat/engine'
import { describe, expect, it } from 'vitest'
import { createFilter } from '../../packages/petals/src/sampling/filters.ts'
import { processLogits } from '../../packages/petals/src/sampling/processors.ts'
import { seededBits } from '../../packages/petals/src/sampling/random.ts'
import { bestToken } from '../../packages/petals/src/sampling/ranking.ts'
import { createSampler } from '../../packages/petals/src/sampling/sampler.ts'
import { ExactLogits } from '../../packages/petals/src/tensor/logits.ts'
import { python } from '../../swarm/paths.ts'
import { run } from '../../swarm/run.ts'

const script = fileURLToPath(new URL('warpers.py', import.meta.url))
const vocabulary = 300
const bits = seededBits(11)
const random = (): number => bits() / 2 ** 32

interface Case {
  readonly params: SamplingParams & { readonly repetitionPenalty: number }
  readonly logits: readonly number[]
  readonly history: readonly number[]
}

const cases: readonly Case[] = [1, 1.2, 0.7].flatMap((repetitionPenalty) =>
  [0.6, 1, 1.8].flatMap((temperature) =>
    [undefined, 1, 12, 200].flatMap((topK) =>
      [undefined, 0.3, 0.9, 0.95].map((topP) => ({
        params: { repetitionPenalty, temperature, topK, topP },
        logits: Array.from({ length: vocabulary }, () =>
          Math.fround((random() + random() + random() - 1.5) * 9),
        ),
        history: Array.from({ length: 20 }, () => Math.floor(random() * vocabulary)),
      })),
    ),
  ),
)

interface Answer {
  readonly kept: readonly number[]
  readonly probabilities: readonly number[]
}

const askTransformers = async (): Promise<readonly Answer[]> => {
  const input = JSON.stringify({
    cases: cases.map(({ params, logits, history }) => ({ ...params, logits, history })),
  })
  return (JSON.parse(await run(python, [script], { input })) as { cases: Answer[] }).cases
}

describe("sampling beside transformers' processors and warpers", async () => {
  const answers = await askTransformers()

  it('keeps the same tokens', () => {
    expect(answers.length).toBe(144)
    cases.forEach(({ params, logits, history }, index) => {
      const exact = new ExactLogits(Float32Array.from(logits))
      const processed = processLogits(exact, params, { tokens: history, answerStart: 0 })
      const allows = createFilter(processed, params, bestToken(processed))
      const kept = logits.flatMap((_, token) =>
        allows({ token, logit: processed.exact(token) }) ? [token] : [],
      )
      expect(kept, JSON.stringify(params)).toEqual(answers[index]!.kept)
    })
  })

  it('draws them with the same probabilities', () => {
    const draws = 4000
    cases.forEach(({ params, logits, history }, index) => {
      const sampler = createSampler(params, index)
      const exact = new ExactLogits(Float32Array.from(logits))
      const counts = new Map<number, number>()
      for (let i = 0; i < draws; i++) {
        const token = sampler.sample(exact, { tokens: history, answerStart: 0 })
        counts.set(token, (counts.get(token) ?? 0) + 1)
      }
      const { kept, probabilities } = answers[index]!
      expect([...counts.keys()].every((token) => kept.includes(token))).toBe(true)
      // Pearson's statistic over the tokens that are drawn often enough; the others count as one group.
      let statistic = 0
      let groups = 0
      const rest = { expected: 0, count: 0 }
      kept.forEach((token, i) => {
        const expected = probabilities[i]! * draws
        const count = counts.get(token) ?? 0
        if (expected >= 10) {
          statistic += (count - expected) ** 2 / expected
          groups++
        } else {
          rest.expected += expected
          rest.count += count
        }
      })
      if (rest.expected >= 10) {
        statistic += (rest.count - rest.expected) ** 2 / rest.expected
        groups++
      }
      const freedom = Math.max(1, groups - 1)
      // Six standard deviations above the mean of chi-squared: never exceeded by chance in 144 cases.
      expect(statistic, JSON.stringify(params)).toBeLessThan(freedom + 6 * Math.sqrt(2 * freedom) + 6)
    })
  })
})
