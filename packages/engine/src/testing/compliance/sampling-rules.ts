import assert from 'node:assert/strict'
import type { SamplingParams } from '../../sampling-params.ts'
import { onSession, takeIds, type ComplianceContext } from './subject.ts'

const COUNT = 10

export function samplingRules({ rule, model, prompts }: ComplianceContext): void {
  const answer = (sampling: SamplingParams) =>
    onSession(model(), (session) => takeIds(session, prompts()[0] ?? [], COUNT, { sampling }))

  rule('the same seed gives the same answer', async () => {
    const sampling = { temperature: 1.5, seed: 42 }
    assert.deepEqual(await answer(sampling), await answer(sampling))
  })

  rule('different seeds give different answers', async () => {
    const answers = new Set<string>()
    for (let seed = 0; seed < 5; seed++) answers.add(String(await answer({ temperature: 2, seed })))
    assert.ok(answers.size > 1, 'five seeds at temperature 2 gave one answer')
  })

  rule('works at both ends of the range of seeds, and without a seed', async () => {
    assert.equal((await answer({ temperature: 1, seed: 0 })).length, COUNT)
    assert.equal((await answer({ temperature: 1, seed: 2 ** 32 - 1 })).length, COUNT)
    assert.equal((await answer({ temperature: 1 })).length, COUNT)
  })

  rule('filters that leave one token are greedy', async () => {
    const greedy = await answer({ temperature: 0 })
    assert.deepEqual(await answer({ temperature: 0, topK: 50, topP: 0.5, minP: 0.1, seed: 1 }), greedy)
    assert.deepEqual(await answer({ temperature: 1.5, topK: 1, seed: 1 }), greedy)
    assert.deepEqual(await answer({ temperature: 1.5, topP: 1e-9, seed: 1 }), greedy)
    assert.deepEqual(await answer({ temperature: 1.5, minP: 1, seed: 1 }), greedy)
  })

  rule('a bias of -100 bans a token, also for greedy', async () => {
    const [first = 0] = await answer({ temperature: 0 })
    const biased = await answer({ temperature: 0, logitBias: new Map([[first, -100]]) })
    assert.ok(!biased.includes(first))
  })

  rule('penalties make repeated tokens less likely', async () => {
    const repeated = await answer({ temperature: 0, repetitionPenalty: 1e6 })
    const prompt = prompts()[0] ?? []
    assert.equal(new Set(repeated).size, COUNT, 'a huge repetition penalty leaves no token to repeat')
    assert.ok(
      repeated.every((token) => !prompt.includes(token)),
      'the repetition penalty counts the prompt',
    )

    const first = repeated[0]!
    const forced = { temperature: 0, logitBias: new Map([[first, 30]]) }
    const unpenalized = await answer(forced)
    const penalized = await answer({ ...forced, presencePenalty: 2, frequencyPenalty: 2 })
    const count = (tokens: readonly number[]) => tokens.filter((token) => token === first).length
    assert.ok(
      count(penalized) <= count(unpenalized),
      'presence and frequency penalties never make a token more likely',
    )
  })
}
