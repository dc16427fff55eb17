import assert from 'node:assert/strict'
import type { Session } from '../../engine.ts'
import { CapacityError, EngineError } from '../../errors.ts'
import { greedy } from '../../sampling-params.ts'
import { expectError } from './expect-error.ts'
import { onSession, SESSION_LENGTH, takeIds, type ComplianceContext } from './subject.ts'

const COUNT = 8

export function sessionRules({ rule, model, prompts }: ComplianceContext): void {
  rule('concurrent sessions answer as they do alone', async () => {
    const side = Math.min(model().maxSessions ?? 3, 3)
    const chosen = Array.from({ length: side }, (_, index) => prompts()[index % prompts().length] ?? [])
    const alone: number[][] = []
    for (const prompt of chosen) {
      alone.push(await onSession(model(), (session) => takeIds(session, prompt, COUNT)))
    }
    const together = await Promise.all(
      chosen.map((prompt) => onSession(model(), (session) => takeIds(session, prompt, COUNT))),
    )
    assert.deepEqual(together, alone)
  })

  rule('a session does not see the tokens of another one', async () => {
    if (model().maxSessions === 1) return
    const [prompt = [], other = []] = prompts()
    const expected = await onSession(model(), (session) => takeIds(session, prompt, COUNT))
    await onSession(model(), async (first) => {
      await onSession(model(), async (second) => {
        const begin = await takeIds(first, prompt, 3)
        await takeIds(second, other, 3)
        await second.truncate(0)
        const rest = await takeIds(first, begin.slice(-1), COUNT - 3)
        assert.deepEqual([...begin, ...rest], expected)
      })
    })
  })

  rule('opens as many sessions as `maxSessions` says; closing one makes room', async () => {
    const { maxSessions } = model()
    if (maxSessions === undefined) return
    const open: Session[] = []
    try {
      while (open.length < maxSessions) open.push(await model().openSession({ maxLength: SESSION_LENGTH }))
      const error = await expectError(() => model().openSession({ maxLength: SESSION_LENGTH }), CapacityError)
      assert.ok(error.retryAfterMs > 0)
      await open.pop()![Symbol.asyncDispose]()
      open.push(await model().openSession({ maxLength: SESSION_LENGTH }))
    } finally {
      await Promise.all(open.map((session) => session[Symbol.asyncDispose]()))
    }
    const [prompt = []] = prompts()
    assert.equal((await onSession(model(), (session) => takeIds(session, prompt, 2))).length, 2)
  })

  rule('a closed session refuses all calls, and may be closed again', async () => {
    const [prompt = []] = prompts()
    const session = await model().openSession({ maxLength: SESSION_LENGTH })
    await takeIds(session, prompt, 1)
    await session[Symbol.asyncDispose]()
    await session[Symbol.asyncDispose]()
    await expectError(() => takeIds(session, prompt, 1), EngineError)
    await expectError(() => session.truncate(0), EngineError)
  })

  rule('closing a session ends the answer that runs on it', async () => {
    const [prompt = []] = prompts()
    const session = await model().openSession({ maxLength: SESSION_LENGTH })
    const answer = session.generate(prompt, { sampling: greedy })[Symbol.asyncIterator]()
    await answer.next()
    await session[Symbol.asyncDispose]()
    await expectError(() => answer.next(), EngineError)
  })

  rule('says that it is ready', async () => {
    const { state } = await model().status()
    assert.equal(state, 'ready')
  })
}
