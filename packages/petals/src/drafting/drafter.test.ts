import { LookupSource } from '@petals-chat/engine/drafting'
import { describe, expect, it } from 'vitest'
import {
  far,
  nearby,
  simulateDecoding,
  type Cost,
  type SimulationOptions,
} from '../fixtures/simulated-decoding.ts'
import { seededBits } from '../sampling/random.ts'

/** Decodes a known answer with drafts from the text itself. */
const decode = (
  prompt: readonly number[],
  answer: readonly number[],
  cost: Cost,
  options: Omit<SimulationOptions, 'sources' | 'prompt'> = {},
) => simulateDecoding(answer, cost, { sources: [new LookupSource()], prompt, ...options })

/** Words as they are distributed in a text: a few are frequent, so that pairs of them occur again. */
function prose(length: number, seed: number): number[] {
  const random = seededBits(seed)
  return Array.from({ length }, () => Math.floor(5000 ** (random() / 2 ** 32)))
}

describe('drafts from the text itself', () => {
  const document = prose(2000, 1)

  it('makes quotations several times as fast', () => {
    const quotation = document.slice(600, 1100)
    expect(decode(document, quotation, nearby).speed).toBeGreaterThan(4)
    expect(decode(document, quotation, far).speed).toBeGreaterThan(10)
  })

  it('goes by the prediction of a client from the first token on, and loses next to nothing by a wrong one', () => {
    const [prompt, answer] = [prose(200, 20), prose(300, 21)]
    const edited = answer.flatMap((token, i) => (i % 60 === 59 ? [9999] : [token]))
    const predicted = decode(prompt, answer, nearby, { prediction: edited })
    expect(predicted.speed).toBeGreaterThan(3)
    expect(predicted.widths.slice(1, 4).every((width) => width > 1)).toBe(true)
    expect(decode(prompt, answer, nearby).speed).toBeLessThan(1.2)
    expect(decode(prompt, answer, nearby, { prediction: prose(2000, 22) }).speed).toBeGreaterThan(0.97)
  })

  it('pays where parts of a text are quoted', () => {
    const answer = [100, 400, 700, 1000, 1300].flatMap((start, i) => [
      ...prose(30, 50 + i),
      ...document.slice(start, start + 30),
    ])
    expect(decode(document, answer, nearby).speed).toBeGreaterThan(1.3)
  })

  it.each([
    ['near', nearby],
    ['far', far],
  ])('costs nearly nothing where its guesses are wrong, on servers that are %s', (_where, cost) => {
    for (const seed of [2, 3, 4])
      expect(decode(document, prose(1500, seed), cost).speed).toBeGreaterThan(0.98)
  })

  it.each([
    ['near', nearby],
    ['far', far],
  ])('is not misled by steps that take now longer, now shorter, on servers that are %s', (_where, cost) => {
    for (const seed of [5, 6, 7]) {
      const random = seededBits(seed)
      const uniform = (): number => random() / 2 ** 32
      const noise = (): number => (uniform() < 0.02 ? 8 : 0.7 + 0.6 * uniform())
      expect(decode(document, prose(1500, seed), cost, { noise }).speed).toBeGreaterThan(0.97)
      expect(decode(document, document.slice(600, 1100), cost, { noise }).speed).toBeGreaterThan(3.5)
    }
  })

  it('is not misled by servers that are busier for a while', () => {
    for (const seed of [8, 9]) {
      let rounds = 0
      const load = (): number => (rounds++ % 400 < 200 ? 1 : 3)
      const mixed = [1, 2, 3, 4].flatMap((i) => [
        ...prose(250, seed * 10 + i),
        ...document.slice(i * 300, i * 300 + 60),
      ])
      expect(decode(document, prose(1500, seed), nearby, { noise: load }).speed).toBeGreaterThan(0.97)
      expect(decode(document, mixed, nearby, { noise: load }).speed).toBeGreaterThan(1.05)
    }
  })

  it('drafts next to nothing on servers that take as long for each token of a step', () => {
    const { speed, widths } = decode(document, document.slice(600, 1100), (width) => 20 * width)
    expect(speed).toBeGreaterThan(0.97)
    // Now and then, it tries again.
    expect(widths.slice(20, 220)).toEqual(Array.from({ length: 200 }, () => 1))
  })

  it('finds the width at which a step becomes expensive', () => {
    const { widths } = decode(document, document.slice(600, 1400), (width) => (width <= 8 ? 22 : 400) + width)
    expect(widths.filter((width) => width > 8).length).toBeLessThan(10)
    expect(widths.slice(-20).every((width) => width === 8)).toBe(true)
  })
})
