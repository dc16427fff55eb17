import assert from 'node:assert/strict'
import type { Session } from '../../engine.ts'
import { greedy } from '../../sampling-params.ts'
import type { TokenId } from '../../tokenizer.ts'
import { expectInvalid, expectTooLong } from './expect-error.ts'
import { onSession, take, takeIds, type ComplianceContext } from './subject.ts'

/** Generates until the session stops by itself; fails if it does not. */
async function untilFull(session: Session, tokens: readonly TokenId[]): Promise<TokenId[]> {
  const answer: TokenId[] = []
  await expectTooLong(async () => {
    for await (const { token } of session.generate(tokens, { sampling: greedy })) {
      answer.push(token)
      assert.ok(answer.length <= session.maxLength, 'the session accepts more tokens than `maxLength`')
    }
  })
  return answer
}

export function lengthRules({ rule, model, prompts }: ComplianceContext): void {
  rule('refuses a prompt that does not fit, before any work', async () => {
    const [prompt = []] = prompts()
    await onSession(
      model(),
      async (session) => {
        await expectTooLong(() => take(session, prompt, 1))
        assert.deepEqual([...session.tokens], [])
        const shorter = await takeIds(session, prompt.slice(0, -1), 1)
        assert.equal(shorter.length, 1, 'the session still works')
      },
      prompt.length - 1,
    )
  })

  rule('fills the session to the last token, then throws ContextLengthError', async () => {
    const [prompt = []] = prompts()
    const room = 4
    const expected = await onSession(model(), (session) => takeIds(session, prompt, room + 1))
    await onSession(
      model(),
      async (session) => {
        assert.deepEqual(await untilFull(session, prompt), expected)
        assert.equal(session.tokens.length, session.maxLength)
        await session.truncate(prompt.length)
        assert.deepEqual(await takeIds(session, expected.slice(0, 1), 2), expected.slice(1, 3))
      },
      prompt.length + room,
    )
  })

  rule('ends by itself after maxNewTokens, and goes on from there', async () => {
    const [prompt = []] = prompts()
    const expected = await onSession(model(), (session) => takeIds(session, prompt, 24))
    for (const maxNewTokens of [1, 2, 20]) {
      await onSession(model(), async (session) => {
        const answer = await takeIds(session, prompt, 24, { maxNewTokens })
        assert.deepEqual(answer, expected.slice(0, maxNewTokens))
        assert.deepEqual([...session.tokens], [...prompt, ...answer.slice(0, -1)])
        const rest = await takeIds(session, answer.slice(-1), 3)
        assert.deepEqual(rest, expected.slice(maxNewTokens, maxNewTokens + 3))
      })
    }
  })

  rule('a prompt that fills the session gets one token', async () => {
    const [prompt = []] = prompts()
    const answer = await onSession(model(), (session) => untilFull(session, prompt), prompt.length)
    assert.equal(answer.length, 1)
  })

  rule('opens sessions of the requested length, but none longer than the context', async () => {
    await onSession(model(), async (session) => assert.equal(session.maxLength, 17), 17)
    await expectTooLong(() => model().openSession({ maxLength: model().contextLength + 1 }))
    for (const maxLength of [0, -1, 1.5, NaN]) {
      await expectInvalid(() => model().openSession({ maxLength }), 'max_length')
    }
  })
}
