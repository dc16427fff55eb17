import { expect, it } from 'vitest'
import type { Session } from '../engine.ts'
import { ScriptedEngine } from '../testing/scripted-engine.ts'
import { modelSpecSchema } from './model-spec.ts'
import { trackUse } from './track-use.ts'

/** Everything that a session may have. */
const optional: Required<Pick<Session, 'prewarm' | 'score' | 'route'>> = {
  prewarm: async () => {},
  score: async () => [],
  route: () => ({ hops: [], failovers: [], pushed: false }),
}

it('passes on all that a session can do, and nothing that it can not', async () => {
  await using engine = new ScriptedEngine()
  const model = await engine.load(modelSpecSchema.parse({ id: 'test', engine: 'llama', source: 'none' }))
  const open = model.openSession.bind(model)
  const tracked = trackUse(model, { idleMs: 1000, onIdle: () => {} })
  for (const changes of [optional, { prewarm: undefined, score: undefined, route: undefined }]) {
    model.openSession = async (options) => Object.assign(await open(options), changes)
    await using session = await tracked.model.openSession({ maxLength: 16 })
    for (const name of ['prewarm', 'score', 'route'] as const)
      expect(typeof session[name], name).toBe(typeof changes[name])
  }
})

it("hands a generation's options on as they are", async () => {
  await using engine = new ScriptedEngine()
  const model = await engine.load(modelSpecSchema.parse({ id: 'test', engine: 'llama', source: 'none' }))
  const open = model.openSession.bind(model)
  const seen: unknown[] = []
  model.openSession = async (options) =>
    Object.assign(await open(options), {
      async *generate(_: unknown, given: object) {
        seen.push(given)
      },
    })
  const tracked = trackUse(model, { idleMs: 1000, onIdle: () => {} })
  await using session = await tracked.model.openSession({ maxLength: 16 })
  const options = { sampling: { temperature: 0 }, onWait: () => {} }
  await Array.fromAsync(session.generate([1], options))
  expect(seen).toEqual([options])
})
