import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ContextLengthError,
  silentLogger,
  type GeneratedToken,
  type GenerateOptions,
  type Grammar,
  type SamplingParams,
  type TokenId,
} from '@petals-chat/engine'
import { engineComplianceTests } from '@petals-chat/engine/testing'
import { ChoosingDrafter, type Drafter } from '../drafting/drafter.ts'
import { LookupSource } from '@petals-chat/engine/drafting'
import { ConnectionLostError } from '../errors.ts'
import { DraftModel } from '../drafting/draft-model.ts'
import { EagerDrafter } from '../fixtures/eager-drafter.ts'
import { AnyDrafter, knowingDrafter } from '../fixtures/any-drafter.ts'
import {
  closeToyLayers,
  inferences,
  open,
  openToyLayers,
  prompt,
  ToyModel,
  vocabulary,
} from '../fixtures/toy-session.ts'

beforeAll(openToyLayers)
afterAll(closeToyLayers)

/** Knows the answer, and errs in a share of its drafts. */
const drafterOf =
  (answer: readonly TokenId[], options: { readonly errors?: number; readonly seed?: number } = {}) =>
  (): Drafter =>
    knowingDrafter([...prompt, ...answer], options)

type Options = Partial<GenerateOptions> & { readonly sampling: SamplingParams }

async function generate(count: number, options: Options, createDrafter?: () => Drafter, maxLength = 200) {
  const { session, inference } = await open(maxLength, createDrafter)
  const generated: GeneratedToken[] = []
  const held: number[] = []
  for await (const each of session.generate(prompt, options)) {
    held.push(session.tokens.length)
    if (generated.push(each) === count) break
  }
  const ids = generated.map(({ token }) => token)
  expect(inference.position).toBe(session.tokens.length)
  return { generated, ids, held, steps: inference.steps, session, inference, drafts: session.drafts!() }
}

const place: Grammar = {
  type: 'json-schema',
  schema: {
    type: 'object',
    properties: { place: { enum: ['Paris', 'Rome'] }, size: { type: 'integer', minimum: 1, maximum: 99 } },
    required: ['place', 'size'],
    additionalProperties: false,
  },
}

engineComplianceTests(
  'a session that drafts',
  async () => ({
    model: new ToyModel(() => new ChoosingDrafter([new LookupSource()])),
    async [Symbol.asyncDispose]() {},
  }),
  { describe, it, beforeAll, afterAll },
  { logprobTolerance: 0.002 },
)

describe('speculative decoding', () => {
  const kinds: readonly (readonly [string, Options])[] = [
    ['greedy', { sampling: { temperature: 0 } }],
    ['sampled with a seed', { sampling: { temperature: 1.2, topP: 0.95, seed: 11 } }],
    [
      'sampled with penalties, a bias and filters',
      {
        sampling: {
          temperature: 1,
          topK: 40,
          minP: 0.01,
          repetitionPenalty: 1.2,
          presencePenalty: 0.4,
          frequencyPenalty: 0.3,
          logitBias: new Map([[97, 3]]),
          seed: 4,
        },
      },
    ],
    ['with log probabilities', { sampling: { temperature: 0.7, seed: 8 }, topLogprobs: 3 }],
    ['in a form', { sampling: { temperature: 1, seed: 5 }, grammar: place }],
    [
      'in a form, with log probabilities',
      { sampling: { temperature: 1, seed: 5 }, grammar: place, topLogprobs: 1 },
    ],
  ]

  for (const [kind, options] of kinds) {
    it(`changes neither the tokens of an answer nor what the session holds at each of them: ${kind}`, async () => {
      const plain = await generate(28, options)
      expect(plain.drafts).toEqual({ accepted: 0, rejected: 0 })
      for (const errors of [0, 0.1, 0.5, 1]) {
        const drafted = await generate(28, options, drafterOf(plain.ids, { errors, seed: 7 }))
        expect(drafted.generated).toEqual(plain.generated)
        expect(drafted.held).toEqual(plain.held)
        expect(drafted.session.tokens).toEqual(plain.session.tokens)
        const { accepted, rejected } = drafted.drafts
        expect(accepted > 0).toBe(errors < 1)
        expect(rejected > 0).toBe(errors > 0)
        if (errors < 0.5) expect(drafted.steps.length).toBeLessThan(plain.steps.length)
      }
    })
  }

  for (const [kind, options] of kinds) {
    it(`changes nothing with a draft model, whose guesses are its own: ${kind}`, async () => {
      const model = await DraftModel.open({
        model: new ToyModel(),
        vocabularySize: vocabulary,
        logger: silentLogger,
        leastPatienceMs: 60_000,
      })
      const plain = await generate(28, options)
      const drafted = await generate(28, options, () => new EagerDrafter(model))
      expect(drafted.generated).toEqual(plain.generated)
      expect(drafted.held).toEqual(plain.held)
      expect(drafted.session.tokens).toEqual(plain.session.tokens)
      const { accepted, rejected } = drafted.drafts
      if (options.sampling.temperature === 0) {
        // The draft model is the same as the large one.
        expect(accepted).toBeGreaterThan(15)
        expect(rejected).toBeLessThan(5)
        expect(drafted.steps.length).toBeLessThan(12)
      } else expect(accepted + rejected).toBeGreaterThan(5)
    })
  }

  it('loses nothing of an answer when its draft model fails', async () => {
    let steps = -1
    class FailingModel extends ToyModel {
      override async openSession(options: { readonly maxLength: number }) {
        const session = await super.openSession(options)
        inferences.at(-1)!.fault = (outputs) => {
          if (steps >= 0 && ++steps === 4) throw new ConnectionLostError('The process died.')
          return outputs
        }
        return session
      }
    }
    const toy = new FailingModel()
    const model = await DraftModel.open({
      model: toy,
      vocabularySize: vocabulary,
      logger: silentLogger,
      leastPatienceMs: 60_000,
    })
    const plain = await generate(60, { sampling: { temperature: 0 } })
    steps = 0
    const drafted = await generate(60, { sampling: { temperature: 0 } }, () => new EagerDrafter(model))
    expect(drafted.ids).toEqual(plain.ids)
    expect(steps).toBeGreaterThan(4)
    // It rests, then goes on in a new session.
    expect(drafted.steps.filter((width) => width === 1).length).toBeGreaterThan(20)
    expect(drafted.steps.at(-1)).toBeGreaterThan(1)
  })

  it('gives several tokens a step, and says how many', async () => {
    const plain = await generate(40, { sampling: { temperature: 0 } })
    expect(plain.session.route!().tokensPerStep).toBeUndefined()
    const all = [...prompt, ...plain.ids]
    const drafted = await generate(
      41,
      { sampling: { temperature: 0 } },
      () => new AnyDrafter((after) => all.slice(after.length, after.length + 7)),
    )
    expect(drafted.steps).toEqual([prompt.length, 8, 8, 8, 8, 8])
    expect(drafted.inference.answered).toEqual(drafted.steps.slice(1))
    expect(drafted.drafts).toEqual({ accepted: 35, rejected: 0 })
    expect(drafted.session.route!().tokensPerStep).toBeCloseTo(41 / 6)
  })

  it('leaves the session as plain decoding does, wherever the caller stops', async () => {
    const plain = await generate(30, { sampling: { temperature: 0 } })
    for (let count = 1; count <= 14; count++) {
      const { session, inference } = await generate(
        count,
        { sampling: { temperature: 0 } },
        drafterOf(plain.ids, { errors: 0.1, seed: count }),
      )
      const held = [...prompt, ...plain.ids.slice(0, count - 1)]
      expect(session.tokens).toEqual(held)
      expect(inference.position).toBe(held.length)
      const rest: TokenId[] = []
      for await (const { token } of session.generate([plain.ids[count - 1]!], {
        sampling: { temperature: 0 },
      }))
        if (rest.push(token) === 30 - count) break
      expect(rest).toEqual(plain.ids.slice(count))
    }
  })

  it('ends with the reason of the signal, also between two tokens of a step', async () => {
    const plain = await generate(12, { sampling: { temperature: 0 } })
    const { session, inference } = await open(128, drafterOf(plain.ids))
    for (let at = 2; at <= 8; at++) {
      await session.truncate(0)
      const [controller, reason] = [new AbortController(), new Error('enough')]
      const seen: TokenId[] = []
      const running = (async () => {
        const options = { sampling: { temperature: 0 }, signal: controller.signal }
        for await (const { token } of session.generate(prompt, options))
          if (seen.push(token) === at) controller.abort(reason)
      })()
      await expect(running).rejects.toBe(reason)
      expect(seen).toEqual(plain.ids.slice(0, at))
      expect(session.tokens.length - prompt.length).toBeGreaterThanOrEqual(at - 1)
      expect(session.tokens).toEqual([...prompt, ...plain.ids].slice(0, session.tokens.length))
      expect(inference.position).toBe(session.tokens.length)
    }
  })

  it('keeps what is confirmed when a step with drafts fails', async () => {
    const plain = await generate(20, { sampling: { temperature: 0 } })
    const { session, inference } = await open(128, drafterOf(plain.ids))
    const seen: TokenId[] = []
    const failing = (async () => {
      for await (const { token } of session.generate(prompt, { sampling: { temperature: 0 } })) {
        seen.push(token)
        if (inference.steps.length === 3)
          inference.fault = () => {
            throw new ConnectionLostError('The server went away.')
          }
      }
    })()
    await expect(failing).rejects.toThrow(/went away/)
    expect(seen).toEqual(plain.ids.slice(0, seen.length))
    expect(session.tokens).toEqual([...prompt, ...seen.slice(0, -1)])
    inference.fault = undefined
    const rest: TokenId[] = []
    for await (const { token } of session.generate(seen.slice(-1), { sampling: { temperature: 0 } }))
      if (rest.push(token) === 20 - seen.length) break
    expect([...seen, ...rest]).toEqual(plain.ids)
  })

  it('never runs a token beyond the length of the session, and fills it to the last', async () => {
    const count = 12
    const plain = await generate(count, { sampling: { temperature: 0 } })
    const maxLength = prompt.length + count - 1
    const { session, inference } = await open(maxLength, drafterOf(plain.ids))
    const seen: TokenId[] = []
    const running = (async () => {
      for await (const { token } of session.generate(prompt, { sampling: { temperature: 0 } })) {
        expect(inference.position).toBeLessThanOrEqual(maxLength)
        seen.push(token)
      }
    })()
    await expect(running).rejects.toThrow(ContextLengthError)
    expect(seen).toEqual(plain.ids)
  })

  it('drafts nothing beyond the last token that is asked for', async () => {
    const { ids } = await generate(12, { sampling: { temperature: 0 } })
    const all = [...prompt, ...ids]
    for (let maxNewTokens = 1; maxNewTokens <= 11; maxNewTokens++) {
      const drafted = await generate(
        20,
        { sampling: { temperature: 0 }, maxNewTokens },
        () => new AnyDrafter((after) => all.slice(after.length, after.length + 4)),
      )
      expect(drafted.ids).toEqual(ids.slice(0, maxNewTokens))
      expect(drafted.drafts.rejected).toBe(0)
      // Nothing was run that no answer would have asked for.
      const run = drafted.steps.reduce((sum, width) => sum + width, 0)
      expect(run).toBe(prompt.length + maxNewTokens - 1)
    }
  })

  it('drafts nothing where a rewind would cost something', async () => {
    const plain = await generate(20, { sampling: { temperature: 0 } })
    const { session, inference } = await open(128, drafterOf(plain.ids))
    inference.canRewind = false
    let count = 0
    for await (const _ of session.generate(prompt, { sampling: { temperature: 0 } }))
      if (++count === 20) break
    expect(inference.steps).toEqual([prompt.length, ...Array.from({ length: 19 }, () => 1)])
    expect(session.drafts!()).toEqual({ accepted: 0, rejected: 0 })
  })
})
