import { describe, expect, it } from 'vitest'
import { far, nearby, simulateDecoding, SimulatedModel, type Cost } from '../fixtures/simulated-decoding.ts'
import { seededBits } from '../sampling/random.ts'
import { LookupSource, stepWidths } from '@petals-chat/engine/drafting'

const random = seededBits(5)
/** No pair of tokens occurs twice. */
const unique = (length: number): number[] => Array.from({ length }, () => random() >>> 8)

/** Tokens that a round of k drafts brings, each right with probability α, those after a wrong one useless. */
const expectedTokens = (acceptance: number, drafts: number): number =>
  acceptance === 1 ? drafts + 1 : (1 - acceptance ** (drafts + 1)) / (1 - acceptance)

/** The least milliseconds for a token: (time of a step of k + 1 tokens + k drafts) / E(α, k) for the best k. */
function bestMs(cost: Cost, acceptance: number, tokenMs: number): number {
  const each = Array.from(
    { length: stepWidths.at(-1)! },
    (_, k) => (cost(k + 1) + k * tokenMs) / expectedTokens(acceptance, k),
  )
  return Math.min(...each)
}

const servers: readonly (readonly [string, Cost])[] = [
  ['near', nearby],
  ['far', far],
  ['whose steps grow with their tokens', (width) => 20 + 6 * width],
  ['whose steps are free up to 8 tokens', (width) => (width <= 8 ? 40 : 200)],
]

describe('drafts of a model', () => {
  for (const [where, cost] of servers) {
    it.each([0.3, 0.5, 0.7, 0.8, 0.9, 0.97])(
      `are as many as bring most tokens a second, within 10 %, on servers that are ${where}: α = %f`,
      (acceptance) => {
        for (const tokenMs of [0.5, 3, 8]) {
          const answer = unique(4000)
          const model = new SimulatedModel({ answer, acceptance, tokenMs })
          const { msPerToken } = simulateDecoding(answer, cost, { sources: [model] })
          expect(msPerToken / bestMs(cost, acceptance, tokenMs)).toBeLessThan(1.1)
        }
      },
    )
  }

  it('are as many also where steps take now longer, now shorter', () => {
    for (const acceptance of [0.6, 0.85]) {
      const bits = seededBits(9)
      const uniform = (): number => bits() / 2 ** 32
      const noise = (): number => 0.7 + 0.6 * uniform()
      const answer = unique(4000)
      const model = new SimulatedModel({ answer, acceptance, tokenMs: 5 })
      const { msPerToken } = simulateDecoding(answer, far, { sources: [model], noise })
      expect(msPerToken / bestMs(far, acceptance, 5)).toBeLessThan(1.1)
    }
  })

  it('are not made where the model takes too long, or is wrong', () => {
    for (const { acceptance, tokenMs } of [
      { acceptance: 0.9, tokenMs: 40 },
      { acceptance: 0.05, tokenMs: 2 },
    ]) {
      const answer = unique(3000)
      const model = new SimulatedModel({ answer, acceptance, tokenMs })
      const { speed, drafted } = simulateDecoding(answer, nearby, { sources: [model] })
      expect(speed).toBeGreaterThan(0.98)
      expect(drafted).toBeLessThan(200)
    }
  })

  describe('of which other chats have learnt', () => {
    const inOtherChats = [
      ['always wrong', 0],
      ['always right', 1],
    ] as const

    it.each(inOtherChats)('are made in a chat in which they are right, if they were %s there', (_, usual) => {
      const answer = unique(1000)
      const model = { answer, acceptance: 0.9, tokenMs: 3 }
      const speedOf = (sources: readonly SimulatedModel[]): number =>
        simulateDecoding(answer, far, { sources }).speed
      const fresh = speedOf([new SimulatedModel(model)])
      expect(speedOf([new SimulatedModel({ ...model, usual })]) / fresh).toBeGreaterThan(0.95)
    })

    it.each(inOtherChats)(
      'cost a chat nothing in which they are wrong, if they were %s there',
      (_, usual) => {
        const answer = unique(1000)
        const model = new SimulatedModel({ answer, acceptance: 0, tokenMs: 3, usual })
        expect(simulateDecoding(answer, far, { sources: [model] }).speed).toBeGreaterThan(0.97)
      },
    )

    it.each(inOtherChats)('leave quotations to the text of the chat, if they were %s there', (_, usual) => {
      const prompt = unique(1000)
      const answer = prompt.slice(200, 700)
      const model = new SimulatedModel({ answer, acceptance: 0, tokenMs: 3, usual })
      const sources = [new LookupSource(), model]
      expect(simulateDecoding(answer, far, { sources, prompt }).speed).toBeGreaterThan(6)
    })
  })

  it('begin again when the text becomes one that the model guesses', () => {
    const [hard, easy] = [unique(1000), unique(2000)]
    const answer = [...hard, ...easy]
    const model = new SimulatedModel({ answer, acceptance: 0.9, tokenMs: 2 })
    const right = model.draft.bind(model)
    let done = 0
    const push = model.push.bind(model)
    model.push = (token) => {
      done += 1
      push(token)
    }
    model.draft = (count) => (done < hard.length ? right(count).map((token) => token + 2) : right(count))
    const { widths } = simulateDecoding(answer, nearby, { sources: [model] })
    expect(widths.slice(200, 900).filter((width) => width > 1).length).toBeLessThan(60)
    expect(widths.slice(-200).filter((width) => width > 1).length).toBeGreaterThan(150)
  })

  it('do not change their number without a reason', () => {
    const answer = unique(3000)
    const model = new SimulatedModel({ answer, acceptance: 0.7, tokenMs: 3 })
    const { widths } = simulateDecoding(answer, far, { sources: [model] })
    const settled = widths.slice(100)
    const changes = settled.filter((width, i) => i > 0 && width !== settled[i - 1]).length
    expect(changes / settled.length).toBeLessThan(0.25)
  })

  it('and drafts from the text are chosen round by round, whichever are better', () => {
    const document = unique(1500)
    const answer = [0, 1, 2, 3].flatMap((i) => [...unique(150), ...document.slice(i * 300, i * 300 + 150)])
    const run = (acceptance: number, kinds: 'text' | 'model' | 'both') => {
      const model = new SimulatedModel({ answer, acceptance, tokenMs: 3 })
      const text = new LookupSource()
      const sources = { text: [text], model: [model], both: [text, model] }[kinds]
      return simulateDecoding(answer, far, { sources, prompt: document }).speed
    }
    for (const acceptance of [0.2, 0.7]) {
      const [text, model, both] = [run(acceptance, 'text'), run(acceptance, 'model'), run(acceptance, 'both')]
      expect(both).toBeGreaterThan(1.1 * Math.max(text, model))
    }
    expect(run(0, 'both')).toBeGreaterThan(0.97 * run(0, 'text'))
  })

  it('are not waited for: those from the text serve until the model has read it', () => {
    const document = unique(1000)
    const answer = document.slice(100, 600)
    const model = new SimulatedModel({ answer, acceptance: 1, tokenMs: 0.1 })
    let prepared = 0
    model.isReady = false
    model.prepare = () => (prepared += 1)
    const { drafted } = simulateDecoding(answer, far, {
      sources: [new LookupSource(), model],
      prompt: document,
    })
    expect(prepared).toBeGreaterThan(0)
    expect(drafted).toBeGreaterThan(300)
  })
})
