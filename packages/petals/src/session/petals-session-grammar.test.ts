import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ContextLengthError,
  GenerationFailedError,
  greedy,
  type GenerateOptions,
  type GeneratedToken,
  type Grammar,
} from '@petals-chat/engine'
import { scriptedTokenizer } from '@petals-chat/engine/testing'
import { ConnectionLostError } from '../errors.ts'
import { inferences, ToyModel, closeToyLayers, openToyLayers } from '../fixtures/toy-session.ts'

beforeAll(openToyLayers)
afterAll(closeToyLayers)

describe('an answer in a given form', () => {
  const place: Grammar = {
    type: 'json-schema',
    schema: {
      type: 'object',
      properties: { place: { enum: ['Paris', 'Rome'] }, size: { type: 'integer', minimum: 1, maximum: 99 } },
      required: ['place', 'size'],
      additionalProperties: false,
    },
  }
  const prompt = scriptedTokenizer.encode('Where is it?')

  async function answer(options: Partial<GenerateOptions>, maxLength = 200) {
    await using session = await new ToyModel().openSession({ maxLength })
    const generated: GeneratedToken[] = []
    const sampling = { temperature: 1, seed: 5 }
    for await (const each of session.generate(prompt, { sampling, grammar: place, ...options })) {
      if (scriptedTokenizer.eosTokens.has(each.token)) break
      generated.push(each)
    }
    const { steps } = inferences.at(-1)!
    return { generated, text: scriptedTokenizer.decode(generated.map(({ token }) => token)), steps }
  }

  it('takes fewer steps than tokens: what is forced goes along with the token before it', async () => {
    const { text, generated, steps } = await answer({})
    expect(JSON.parse(text)).toEqual({
      place: expect.stringMatching(/^(Paris|Rome)$/),
      size: expect.any(Number),
    })
    expect(steps.length).toBeLessThan(generated.length / 2)
    // All but the last token, whose end token is forced.
    expect(steps.reduce((sum, count) => sum + count, 0)).toBeLessThan(prompt.length + generated.length)
  })

  it('repeats itself with a seed, and differs with another', async () => {
    const texts = await Promise.all(
      [1, 1, 2, 3, 4, 5, 6, 7].map(
        async (seed) => (await answer({ sampling: { temperature: 2, seed } })).text,
      ),
    )
    expect(texts[1]).toBe(texts[0])
    expect(new Set(texts).size).toBeGreaterThan(2)
  })

  it('obeys penalties, biases and filters among the allowed tokens', async () => {
    const [p, r] = scriptedTokenizer.encode('PR') as [number, number]
    const towards = async (wanted: number, other: number) =>
      (
        await answer({
          sampling: {
            temperature: 1,
            topK: 3,
            topP: 0.9,
            minP: 0.01,
            repetitionPenalty: 1.1,
            presencePenalty: 0.5,
            frequencyPenalty: 0.5,
            seed: 3,
            logitBias: new Map([
              [wanted, 100],
              [other, -100],
            ]),
          },
        })
      ).text
    expect([await towards(p, r), await towards(r, p)]).toEqual([
      expect.stringContaining('Paris'),
      expect.stringContaining('Rome'),
    ])
  })

  it('gives the log probabilities that the model has without the form, one step for each token', async () => {
    const { generated, text, steps } = await answer({ sampling: greedy, topLogprobs: 2 })
    expect(Object.keys(JSON.parse(text) as object)).toEqual(['place', 'size'])
    expect(steps.length).toBe(generated.length + 1)
    await using session = await new ToyModel().openSession({ maxLength: 200 })
    const tokens = generated.map(({ token }) => token)
    const scores = await session.score!([...prompt, ...tokens], { topLogprobs: 2 })
    for (const [index, { token, logprob, topLogprobs }] of generated.entries()) {
      const score = scores[prompt.length + index]!
      expect(score.token).toBe(token)
      expect(logprob).toBeCloseTo(score.logprob!, 2)
      expect(topLogprobs!.map((each) => each.token)).toEqual(score.topLogprobs.map((each) => each.token))
    }
  })

  it('never fills the session beyond its length with forced tokens', async () => {
    await expect(answer({}, prompt.length + 6)).rejects.toThrow(ContextLengthError)
    expect(inferences.at(-1)!.position).toBeLessThanOrEqual(prompt.length + 6)
  })

  it('refuses a form that can’t be enforced before any step', async () => {
    const evil: Grammar = { type: 'regex', pattern: '^(a?){500}a{500}$' }
    await expect(answer({ grammar: evil })).rejects.toThrow(/work limit/)
    expect(inferences.at(-1)!.steps).toEqual([])
  })

  it('ends with the reason of the signal, or the fault of a server, and then answers in the same form', async () => {
    await using session = await new ToyModel().openSession({ maxLength: 200 })
    const inference = inferences.at(-1)!
    const reason = new Error('enough')
    const controller = new AbortController()
    const decode = async (options: Partial<GenerateOptions>, atToken?: () => void): Promise<string> => {
      await session.truncate(0)
      const tokens: number[] = []
      for await (const { token } of session.generate(prompt, {
        sampling: greedy,
        grammar: place,
        ...options,
      })) {
        if (scriptedTokenizer.eosTokens.has(token)) break
        if (tokens.push(token) === 14) atToken?.()
      }
      return scriptedTokenizer.decode(tokens)
    }
    const whole = await decode({})
    await expect(decode({ signal: controller.signal }, () => controller.abort(reason))).rejects.toBe(reason)
    const lose = (): void => {
      inference.fault = () => {
        throw new ConnectionLostError('The server is gone.')
      }
    }
    await expect(decode({}, lose)).rejects.toThrow(GenerationFailedError)
    inference.fault = undefined
    expect(await decode({})).toBe(whole)
  })

  it('keeps the session usable when the caller stops among forced tokens', async () => {
    await using session = await new ToyModel().openSession({ maxLength: 200 })
    const taken: number[] = []
    for await (const { token } of session.generate(prompt, { sampling: greedy, grammar: place }))
      if (taken.push(token) === 3) break
    expect(session.tokens).toEqual([...prompt, ...taken].slice(0, session.tokens.length))
    const rest: number[] = []
    const missing = [...prompt, ...taken].slice(session.tokens.length)
    for await (const { token } of session.generate(missing, { sampling: greedy }))
      if (rest.push(token) === 2) break
    expect(session.tokens).toEqual([...prompt, ...taken, rest[0]])
  })
})
