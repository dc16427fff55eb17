import type { Model } from '../../engine.ts'
import { cancellationRules } from './cancellation-rules.ts'
import { capabilityRules } from './capability-rules.ts'
import { generationRules } from './generation-rules.ts'
import { lengthRules } from './length-rules.ts'
import { samplingRules } from './sampling-rules.ts'
import { sessionRules } from './session-rules.ts'
import {
  type ComplianceContext,
  type ComplianceFactory,
  type ComplianceOptions,
  type ComplianceSubject,
  type TestFramework,
} from './subject.ts'
import { tokenizerRules } from './tokenizer-rules.ts'
import { validationRules } from './validation-rules.ts'

const englishPrompts = [
  'The capital of France is',
  'Once upon a time, there was a',
  'def add(a, b):\n    return',
]

/**
 * The rules of `Model` and `Session` as tests: a suite that every engine passes, on a real model. If an engine lacks an
 * optional feature (`capabilities`, `maxSessions`), the rules about it test that the engine says so.
 *
 * ```ts
 * import * as vitest from 'vitest'
 * engineComplianceTests('llama', async () => openTestModel(), vitest)
 * ```
 */
export function engineComplianceTests(
  name: string,
  factory: ComplianceFactory,
  { describe, it, beforeAll, afterAll }: TestFramework,
  options: ComplianceOptions = {},
): void {
  const { prompts = englishPrompts, logprobTolerance = 0.05, timeoutMs = 120_000 } = options

  describe(`${name} obeys the rules of an engine`, () => {
    let subject: ComplianceSubject | undefined
    const model = (): Model => subject!.model
    beforeAll(async () => {
      subject = await factory()
    }, timeoutMs * 5)
    afterAll(async () => {
      await subject?.[Symbol.asyncDispose]()
    }, timeoutMs)

    const context: ComplianceContext = {
      rule: (title, run) => it(title, run, timeoutMs),
      model,
      prompts: () => prompts.map((prompt) => model().tokenizer.encode(prompt, { addSpecialTokens: true })),
      logprobTolerance,
    }
    describe('tokenizer', () => tokenizerRules(context))
    describe('generation', () => generationRules(context))
    describe('sampling', () => samplingRules(context))
    describe('length', () => lengthRules(context))
    describe('validation', () => validationRules(context))
    describe('cancellation', () => cancellationRules(context))
    describe('sessions', () => sessionRules(context))
    describe('capabilities', () => capabilityRules(context))
  })
}
