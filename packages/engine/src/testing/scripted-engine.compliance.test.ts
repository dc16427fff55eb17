import { afterAll, beforeAll, describe, it } from 'vitest'
import { modelSpecSchema } from '../models/model-spec.ts'
import { engineComplianceTests } from './compliance/engine-compliance-tests.ts'
import { ScriptedEngine, type ScriptedEngineOptions } from './scripted-engine.ts'

const open = (options: ScriptedEngineOptions) => async () => {
  const engine = new ScriptedEngine(options)
  const model = await engine.load(modelSpecSchema.parse({ id: 'scripted', engine: 'llama', source: 'none' }))
  return { model, [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose]() }
}

engineComplianceTests('a scripted engine', open({ maxSessions: 4 }), { describe, it, beforeAll, afterAll })
engineComplianceTests(
  'a slow scripted engine without extras',
  open({
    stepDelayMs: 1,
    capabilities: { grammar: false, logprobs: false, promptLogprobs: false, embeddings: false },
  }),
  { describe, it, beforeAll, afterAll },
)
