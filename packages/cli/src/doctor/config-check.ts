import { findServingProblems } from '../config/check-servable.ts'
import type { LoadedConfig } from '../config/load.ts'
import { ConfigError, formatProblem } from '../config/problem.ts'
import { failure, ok, type CheckResult } from './check.ts'

/** Checks a loaded configuration, or the error of loading it. */
export function checkLoaded(loaded: LoadedConfig | ConfigError): CheckResult {
  const problems = loaded instanceof ConfigError ? loaded.problems : findServingProblems(loaded)
  if (problems.length > 0 || loaded instanceof ConfigError) {
    return failure('the configuration has mistakes', problems.map(formatProblem).join('\n'))
  }
  const count = loaded.config.models.length
  return ok(
    `${loaded.file ?? 'no petals-chat.yaml: the built-in configuration'}, ${count} ${count === 1 ? 'model' : 'models'}`,
  )
}
