import assert from 'node:assert/strict'
import type { Session } from '../../engine.ts'
import { EngineError, InvalidRequestError } from '../../errors.ts'
import { greedy } from '../../sampling-params.ts'
import type { TokenId } from '../../tokenizer.ts'
import { expectError } from './expect-error.ts'
import { onSession, takeIds, type ComplianceContext } from './subject.ts'

class Reason extends Error {}

/** After an abort, a session must answer like a fresh one, or throw EngineError at every call. */
async function usableOrCleanlyFailed(
  session: Session,
  prompt: readonly TokenId[],
  expected: readonly TokenId[],
) {
  try {
    await session.truncate(0)
    assert.deepEqual(await takeIds(session, prompt, expected.length), expected)
  } catch (error) {
    assert.ok(
      error instanceof EngineError,
      `a failed session must throw an EngineError, not ${String(error)}`,
    )
    await expectError(() => takeIds(session, prompt, 1), EngineError)
  }
}

export function cancellationRules({ rule, model, prompts }: ComplianceContext): void {
  rule('an already aborted signal stops every call before any work', async () => {
    const [prompt = []] = prompts()
    const signal = AbortSignal.abort(new Reason('too late'))
    const opening = await expectError(() => model().openSession({ maxLength: 32, signal }), Reason)
    assert.equal(opening, signal.reason, 'the reason passes through unwrapped')
    await onSession(model(), async (session) => {
      await expectError(() => takeIds(session, prompt, 1, { signal }), Reason)
      await expectError(() => session.truncate(0, { signal }), Reason)
      assert.deepEqual([...session.tokens], [])
      assert.equal((await takeIds(session, prompt, 2)).length, 2)
    })
  })

  rule('an abort during a step ends the answer with the reason', async () => {
    const [prompt = []] = prompts()
    const expected = await onSession(model(), (session) => takeIds(session, prompt, 5))
    await onSession(model(), async (session) => {
      const controller = new AbortController()
      const answer = session
        .generate(prompt, { sampling: greedy, signal: controller.signal })
        [Symbol.asyncIterator]()
      assert.equal((await answer.next()).done, false)
      const pending = answer.next()
      controller.abort(new Reason('stop'))
      // The step may have ended just before; then the next one must not begin.
      const error = await expectError(() => pending.then(() => answer.next()), Reason)
      assert.equal(error, controller.signal.reason)
      await usableOrCleanlyFailed(session, prompt, expected)
    })
  })

  rule('an abort during the prefill ends it with the reason', async () => {
    const [prompt = []] = prompts()
    const expected = await onSession(model(), (session) => takeIds(session, prompt, 3))
    await onSession(model(), async (session) => {
      const controller = new AbortController()
      const pending = takeIds(session, prompt, 50, { signal: controller.signal })
      controller.abort(new Reason('stop'))
      await expectError(() => pending, Reason)
      await usableOrCleanlyFailed(session, prompt, expected)
    })
  })

  rule('an abort after the answer has no effect', async () => {
    const [prompt = []] = prompts()
    await onSession(model(), async (session) => {
      const controller = new AbortController()
      const [token = 0] = await takeIds(session, prompt, 1, { signal: controller.signal })
      controller.abort(new Reason('late'))
      assert.equal((await takeIds(session, [token], 3)).length, 3)
    })
  })

  rule('accepts one call at a time, and the first one continues', async () => {
    const [prompt = []] = prompts()
    const expected = await onSession(model(), (session) => takeIds(session, prompt, 4))
    await onSession(model(), async (session) => {
      const answer = session.generate(prompt, { sampling: greedy })[Symbol.asyncIterator]()
      const first = await answer.next()
      await expectError(() => takeIds(session, prompt, 1), InvalidRequestError)
      await expectError(() => session.truncate(0), InvalidRequestError)
      const rest = [await answer.next(), await answer.next(), await answer.next()]
      await answer.return?.()
      assert.deepEqual(
        [first, ...rest].map(({ value }) => value?.token as TokenId),
        expected,
      )
      await session.truncate(0)
    })
  })
}
