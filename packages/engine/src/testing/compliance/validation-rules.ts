import assert from 'node:assert/strict'
import type { GenerateOptions } from '../../engine.ts'
import type { SamplingParams } from '../../sampling-params.ts'
import { expectInvalid } from './expect-error.ts'
import { onSession, take, takeIds, type ComplianceContext } from './subject.ts'

type Field = Exclude<keyof SamplingParams, 'logitBias'>

const outOfRange: Readonly<Record<Field, readonly [param: string, values: readonly unknown[]]>> = {
  temperature: ['temperature', [-0.1, NaN, Infinity, '1', null]],
  topK: ['top_k', [0, -1, 1.5, NaN, 2 ** 53]],
  topP: ['top_p', [0, -0.1, 1.1, NaN]],
  minP: ['min_p', [-0.1, 1.1, NaN]],
  repetitionPenalty: ['repetition_penalty', [0, -1, NaN, Infinity]],
  presencePenalty: ['presence_penalty', [-2.1, 2.1, NaN]],
  frequencyPenalty: ['frequency_penalty', [-2.1, 2.1, NaN]],
  seed: ['seed', [-1, 1.5, 2 ** 32, NaN]],
}

export function validationRules({ rule, model, prompts }: ComplianceContext): void {
  /** Every refused call leaves the session as it was. */
  const refused = (param: string, calls: readonly Partial<GenerateOptions>[]) =>
    onSession(model(), async (session) => {
      const prompt = prompts()[0] ?? []
      for (const options of calls) await expectInvalid(() => take(session, prompt, 1, options), param)
      assert.deepEqual([...session.tokens], [])
      assert.equal((await take(session, prompt, 1)).length, 1, 'the session still works')
    })

  for (const [field, [param, values]] of Object.entries(outOfRange)) {
    rule(`refuses ${param} out of its range`, () =>
      refused(
        param,
        values.map((value) => ({ sampling: { temperature: 1, [field]: value } as SamplingParams })),
      ),
    )
  }

  rule('refuses logit_bias for an invalid token, or out of its range', async () => {
    const { vocabSize } = model().tokenizer
    const biases = [
      [vocabSize, 1],
      [-1, 1],
      [1.5, 1],
      [0, 101],
      [0, -101],
      [0, NaN],
    ] as const
    await refused(
      'logit_bias',
      biases.map((bias) => ({ sampling: { temperature: 1, logitBias: new Map([bias]) } })),
    )
  })

  rule('refuses top_logprobs out of its range', async () => {
    await refused('top_logprobs', [{ topLogprobs: -1 }, { topLogprobs: 21 }, { topLogprobs: 0.5 }])
  })

  rule('refuses max_new_tokens and predictions out of their ranges', async () => {
    const { vocabSize } = model().tokenizer
    await refused(
      'max_new_tokens',
      [0, -1, 1.5, NaN].map((maxNewTokens) => ({ maxNewTokens })),
    )
    await refused('prediction', [{ prediction: [0, vocabSize] }, { prediction: [-1] }, { prediction: [0.5] }])
  })

  rule('refuses an empty prompt, and invalid tokens', async () => {
    const { vocabSize } = model().tokenizer
    await onSession(model(), async (session) => {
      for (const tokens of [[], [-1], [vocabSize], [0.5], [NaN], [2 ** 53]]) {
        await expectInvalid(() => take(session, tokens, 1), 'prompt')
      }
      assert.deepEqual([...session.tokens], [])
    })
  })

  rule('refuses to truncate to an invalid length', async () => {
    const prompt = prompts()[0] ?? []
    await onSession(model(), async (session) => {
      const answer = await takeIds(session, prompt, 3)
      const cached = session.tokens.length
      for (const length of [-1, 0.5, NaN, cached + 1]) {
        await expectInvalid(() => session.truncate(length), 'length')
      }
      assert.equal(session.tokens.length, cached)
      assert.equal((await takeIds(session, answer.slice(-1), 1)).length, 1, 'the session still works')
    })
  })
}
