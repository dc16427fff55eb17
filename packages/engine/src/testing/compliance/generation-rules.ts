import assert from 'node:assert/strict'
import { onSession, takeIds, type ComplianceContext } from './subject.ts'

const COUNT = 12

export function generationRules({ rule, model, prompts }: ComplianceContext): void {
  rule('greedy answers are always the same', async () => {
    for (const prompt of prompts()) {
      const first = await onSession(model(), (session) => takeIds(session, prompt, COUNT))
      const second = await onSession(model(), (session) => takeIds(session, prompt, COUNT))
      assert.equal(first.length, COUNT)
      assert.deepEqual(second, first)
    }
  })

  rule('the last token is not in the cache; all others are', async () => {
    const [prompt = []] = prompts()
    await onSession(model(), async (session) => {
      assert.deepEqual(session.tokens, [])
      const answer = await takeIds(session, prompt, COUNT)
      assert.deepEqual([...session.tokens], [...prompt, ...answer.slice(0, -1)])
    })
  })

  rule('continues from the last token as if it had never stopped', async () => {
    for (const prompt of prompts()) {
      const whole = await onSession(model(), (session) => takeIds(session, prompt, COUNT))
      const inParts = await onSession(model(), async (session) => {
        const begin = await takeIds(session, prompt, 5)
        const rest = await takeIds(session, begin.slice(-1), COUNT - begin.length)
        return [...begin, ...rest]
      })
      assert.deepEqual(inParts, whole)
    }
  })

  rule('a truncated session answers like a fresh one', async () => {
    const [prompt = [], other = []] = prompts()
    const expected = await onSession(model(), (session) => takeIds(session, prompt, COUNT))
    const again = await onSession(model(), async (session) => {
      await takeIds(session, prompt, COUNT)
      await session.truncate(0)
      assert.deepEqual([...session.tokens], [])
      await takeIds(session, other, 3)
      await session.truncate(0)
      return takeIds(session, prompt, COUNT)
    })
    assert.deepEqual(again, expected)
  })

  rule('keeps the tokens that truncate leaves', async () => {
    const [prompt = []] = prompts()
    const whole = await onSession(model(), (session) => takeIds(session, prompt, COUNT))
    const kept = prompt.length + 3
    const rerun = await onSession(model(), async (session) => {
      await takeIds(session, prompt, COUNT)
      await session.truncate(kept)
      assert.deepEqual([...session.tokens], [...prompt, ...whole.slice(0, 3)])
      return takeIds(session, whole.slice(3, 4), COUNT - 4)
    })
    assert.deepEqual(rerun, whole.slice(4))
  })

  rule('yields end tokens like any other, and continues after them', async () => {
    const [prompt = []] = prompts()
    const [eos = 0] = model().tokenizer.eosTokens
    const sampling = { temperature: 0, logitBias: new Map([[eos, 100]]) }
    const answer = await onSession(model(), (session) => takeIds(session, prompt, 3, { sampling }))
    assert.deepEqual(answer, [eos, eos, eos])
  })
}
