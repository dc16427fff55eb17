import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ceilingsOf, ExactLogits, type Logits } from '../tensor/logits.ts'
import { createFilter } from './filters.ts'
import { describeToken } from './logprobs.ts'
import { bestToken, topK } from './ranking.ts'
import { createSampler } from './sampler.ts'

const none = { tokens: [], answerStart: 0 }

/** Logits with known exact values, whose estimates have errors of up to their margins. */
class BlurredLogits implements Logits {
  readonly size: number
  readonly ceilings: Float64Array
  readonly #estimates: Float32Array
  readonly #margins: Float32Array
  readonly #exact: Float32Array
  readonly asked = new Set<number>()

  constructor(exact: Float32Array, margin: number, errors: readonly number[]) {
    this.size = exact.length
    this.#exact = exact
    this.#margins = exact.map((_, i) => margin * (1 + (i % 3)) + 1e-5)
    this.#estimates = exact.map((value, i) => value + margin * (1 + (i % 3)) * errors[i % errors.length]!)
    this.ceilings = ceilingsOf(this)
  }

  estimate(token: number): number {
    return this.#estimates[token]!
  }

  margin(token: number): number {
    return this.#margins[token]!
  }

  exact(token: number): number {
    this.asked.add(token)
    return this.#exact[token]!
  }
}

const logitsArbitrary = fc
  .record({
    values: fc.array(fc.double({ min: -12, max: 12, noNaN: true }), { minLength: 1, maxLength: 200 }),
    margin: fc.double({ min: 0, max: 2, noNaN: true }),
    errors: fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 1, maxLength: 50 }),
  })
  .map(({ values, margin, errors }) => {
    const exact = Float32Array.from(values)
    return { exact: new ExactLogits(exact), blurred: new BlurredLogits(exact, margin, errors) }
  })

describe('choices from bounded estimates equal choices from exact logits', () => {
  it('for argmax and top-k', () => {
    fc.assert(
      fc.property(logitsArbitrary, fc.integer({ min: 1, max: 250 }), ({ exact, blurred }, k) => {
        expect(bestToken(blurred)).toEqual(bestToken(exact))
        expect(topK(blurred, k)).toEqual(topK(exact, k))
      }),
    )
  })

  it('for top-p at any temperature', () => {
    const temperatures = fc.double({ min: 0.05, max: 3, noNaN: true })
    const fractions = fc.double({ min: 0.01, max: 1, noNaN: true })
    fc.assert(
      fc.property(logitsArbitrary, temperatures, fractions, ({ exact, blurred }, temperature, fraction) => {
        const allowed = (logits: Logits): number[] => {
          const filter = createFilter(logits, { temperature, topP: fraction }, bestToken(exact))
          return Array.from({ length: exact.size }, (_, token) => token).filter((token) =>
            filter({ token, logit: exact.exact(token) }),
          )
        }
        expect(allowed(blurred)).toEqual(allowed(exact))
      }),
    )
  })

  it('for whole samplers with the same seed', () => {
    const params = fc.record({
      temperature: fc.constantFrom(0, 0.3, 1, 2),
      topK: fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined }),
      topP: fc.option(fc.double({ min: 0.05, max: 1, noNaN: true }), { nil: undefined }),
      minP: fc.option(fc.double({ min: 0, max: 0.5, noNaN: true }), { nil: undefined }),
      repetitionPenalty: fc.constantFrom(1, 1.2, 0.8),
      presencePenalty: fc.constantFrom(0, 0.7),
    })
    fc.assert(
      fc.property(logitsArbitrary, params, fc.nat(), ({ exact, blurred }, options, seed) => {
        const history = { tokens: [0, 3, 3, 5, 9].filter((token) => token < exact.size), answerStart: 1 }
        const first = createSampler(options, seed)
        const second = createSampler(options, seed)
        for (let i = 0; i < 5; i++) expect(first.sample(blurred, history)).toBe(second.sample(exact, history))
      }),
    )
  })

  it('for logits so small that float32 rounds them much', () => {
    const values = Float32Array.of(-2.0974635414013862e-41, 0, 0, 0, 0)
    const options = { temperature: 1, topP: 0.20000000000000004, repetitionPenalty: 0.8 }
    const history = { tokens: [0, 3, 3], answerStart: 1 }
    const [first, second] = [createSampler(options, 1149122842), createSampler(options, 1149122842)]
    const blurred = new BlurredLogits(values, 0, [0])
    for (let i = 0; i < 5; i++)
      expect(first.sample(blurred, history)).toBe(second.sample(new ExactLogits(values), history))
  })

  it('need few exact values', () => {
    const exact = Float32Array.from({ length: 20_000 }, (_, i) => 20 * Math.exp(-i / 40) - 10)
    const asked = ({ temperature, topP }: { temperature: number; topP?: number }): number => {
      const sampler = createSampler({ temperature, topP }, 1)
      const counts = Array.from({ length: 100 }, () => {
        const blurred = new BlurredLogits(exact, 0.1, [1, -1, 0.5])
        sampler.sample(blurred, none)
        return blurred.asked.size
      })
      return counts.reduce((sum, count) => sum + count, 0) / counts.length
    }
    expect(asked({ temperature: 0 })).toBeLessThan(3)
    expect(asked({ temperature: 1 })).toBeLessThan(5)
    expect(asked({ temperature: 0.7, topP: 0.9 })).toBeLessThan(20)
  })
})

/** transformers' warpers on plain arrays: the reference for the tokens that may be drawn. */
function allowedByTransformers(
  logits: readonly number[],
  temperature: number,
  k: number | undefined,
  p: number,
) {
  let scores = logits.map((value) => value / temperature)
  if (k !== undefined) {
    const lowest = [...scores].sort((a, b) => b - a)[Math.min(k, scores.length) - 1]!
    scores = scores.map((value) => (value < lowest ? -Infinity : value))
  }
  const best = Math.max(...scores)
  const total = scores.reduce((sum, value) => sum + Math.exp(value - best), 0)
  const order = scores.map((_, i) => i).sort((a, b) => scores[a]! - scores[b]!)
  let cumulative = 0
  const removed = new Set<number>()
  for (const i of order.slice(0, -1)) {
    cumulative += Math.exp(scores[i]! - best) / total
    if (cumulative <= 1 - p) removed.add(i)
  }
  return scores.flatMap((value, i) => (value === -Infinity || removed.has(i) ? [] : [i]))
}

describe('createSampler', () => {
  const logits = [2, 1.5, 1, 0.5, 0, -0.5, -1, 3]
  const exact = new ExactLogits(Float32Array.from(logits))
  const draws = (params: Parameters<typeof createSampler>[0], count = 4000): Map<number, number> => {
    const sampler = createSampler(params, 42)
    const counts = new Map<number, number>()
    for (let i = 0; i < count; i++) {
      const token = sampler.sample(exact, none)
      counts.set(token, (counts.get(token) ?? 0) + 1)
    }
    return counts
  }

  it.each([
    { temperature: 1, topK: 3 },
    { temperature: 0.6, topP: 0.9 },
    { temperature: 1.5, topK: 5, topP: 0.7 },
    { temperature: 1, topP: 0.2 },
  ])('draws only the tokens that transformers keeps: %o', (params) => {
    const allowed = allowedByTransformers(logits, params.temperature, params.topK, params.topP ?? 1)
    expect([...draws(params).keys()].sort()).toEqual(allowed.sort())
  })

  it('draws in proportion to the probabilities', () => {
    const counts = draws({ temperature: 1 }, 40_000)
    const total = logits.reduce((sum, value) => sum + Math.exp(value), 0)
    logits.forEach((value, token) => {
      expect((counts.get(token) ?? 0) / 40_000).toBeCloseTo(Math.exp(value) / total, 1.9)
    })
  })

  it('applies the repetition penalty as transformers: division above zero, multiplication below', () => {
    const history = { tokens: [7, 0], answerStart: 0 }
    const sampler = createSampler({ temperature: 0, repetitionPenalty: 10 }, 0)
    expect(sampler.sample(exact, history)).toBe(1)
    const negative = new ExactLogits(Float32Array.from([-1, -1.5]))
    expect(sampler.sample(negative, { tokens: [0], answerStart: 0 })).toBe(1)
  })

  it('counts frequency and presence only in the answer', () => {
    const sampler = createSampler({ temperature: 0, frequencyPenalty: 1, presencePenalty: 0.5 }, 0)
    expect(sampler.sample(exact, { tokens: [7, 7, 7], answerStart: 3 })).toBe(7)
    expect(sampler.sample(exact, { tokens: [7, 7, 7], answerStart: 2 })).toBe(0)
  })

  it('adds biases', () => {
    expect(createSampler({ temperature: 0, logitBias: new Map([[6, 100]]) }, 0).sample(exact, none)).toBe(6)
  })

  it('repeats its choices with the same seed and not with another', () => {
    const run = (seed: number): number[] => {
      const sampler = createSampler({ temperature: 1 }, seed)
      return Array.from({ length: 50 }, () => sampler.sample(exact, none))
    }
    expect(run(7)).toEqual(run(7))
    expect(run(7)).not.toEqual(run(8))
  })

  it('reports log probabilities that sum to one', () => {
    const { logprob, topLogprobs } = describeToken(exact, 7, 8)
    expect(topLogprobs![0]).toEqual({ token: 7, logprob })
    expect(topLogprobs!.reduce((sum, entry) => sum + Math.exp(entry.logprob), 0)).toBeCloseTo(1, 5)
  })
})
