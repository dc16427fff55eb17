import { describe, expect, it } from 'vitest'
import { ScriptedEngine } from '../testing/scripted-engine.ts'
import { sessionWrapperTests } from '../testing/session-wrapper-tests.ts'
import { modelSpecSchema } from './model-spec.ts'
import { trackUse } from './track-use.ts'

const entry = modelSpecSchema.parse({ id: 'test', engine: 'scripted', source: 'none' })

sessionWrapperTests(
  'trackUse',
  async (session) => {
    const model = await new ScriptedEngine().load(entry)
    model.openSession = async () => session
    const tracked = trackUse(model, { idleMs: 1000, onIdle: () => {} })
    return await tracked.model.openSession({ maxLength: 16 })
  },
  { describe, it },
)

it('passes the options of a generation on unchanged', async () => {
  await using engine = new ScriptedEngine()
  const model = await engine.load(entry)
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
