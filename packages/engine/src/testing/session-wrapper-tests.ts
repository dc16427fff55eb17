import assert from 'node:assert/strict'
import type { Session } from '../engine.ts'
import { optionalSessionMethods } from '../forward.ts'
import { ScriptedEngine } from './scripted-engine.ts'
import { modelSpecSchema } from '../models/model-spec.ts'
import type { TestFramework } from './compliance/subject.ts'

/** Returns a session that passes calls on to `session`. */
export type WrapSession = (session: Session) => Session | Promise<Session>

/**
 * Tests of a wrapper of sessions: it offers each optional method of `Session` that the wrapped session has, and none that it
 * lacks; arguments, results and the receiver of each call stay the same.
 */
export function sessionWrapperTests(
  name: string,
  wrap: WrapSession,
  { describe, it }: Pick<TestFramework, 'describe' | 'it'>,
): void {
  describe(`${name}, a wrapper of sessions`, () => {
    for (const method of optionalSessionMethods) {
      it(`passes on '${method}' where the session has it`, async () => {
        await using inner = await openSession()
        const calls: unknown[] = []
        const result = method === 'route' ? { hops: [], failovers: [], pushed: false } : []
        const call = function (this: Session, ...args: readonly unknown[]) {
          calls.push([this, ...args])
          return method === 'route' ? result : Promise.resolve(result)
        }
        Object.assign(inner, { [method]: call })
        const outer = await wrap(inner)
        const given =
          method === 'route' ? [] : method === 'score' ? [[1], { topLogprobs: 2 }] : [{ promptLength: 3 }]
        const forwarded = outer[method] as ((...args: readonly unknown[]) => unknown) | undefined
        assert.deepEqual(await forwarded?.call(outer, ...given), result)
        assert.deepEqual(calls, [[inner, ...given]])
      })

      it(`has no '${method}' where the session lacks it`, async () => {
        await using inner = await openSession()
        Object.assign(inner, { [method]: undefined })
        assert.equal((await wrap(inner))[method], undefined)
      })
    }
  })
}

async function openSession(): Promise<Session> {
  const engine = new ScriptedEngine()
  const model = await engine.load(modelSpecSchema.parse({ id: 'test', engine: 'scripted', source: 'none' }))
  return await model.openSession({ maxLength: 16 })
}
