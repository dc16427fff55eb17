/**
 * For tests of engines and of the layers above them: a scripted engine (no model), and the suite that every engine passes.
 *
 * ```ts
 * import * as vitest from 'vitest'
 * engineComplianceTests('llama', openSubject, vitest)
 * ```
 *
 * @packageDocumentation
 */
export { engineComplianceTests } from './compliance/engine-compliance-tests.ts'
export type {
  ComplianceFactory,
  ComplianceOptions,
  ComplianceSubject,
  TestFramework,
} from './compliance/subject.ts'
export { ScriptedEngine, type ScriptedEngineOptions, type ScriptedStep } from './scripted-engine.ts'
export type { Continuation } from './scripted-script.ts'
export { sessionWrapperTests, type WrapSession } from './session-wrapper-tests.ts'
export { isSpecialToken, scriptedTokenizer, specialToken } from './scripted-tokenizer.ts'
export { checkUtf8 } from './check-utf8.ts'
export { cpuMs } from './cpu-time.ts'
export { freePort } from './free-port.ts'
