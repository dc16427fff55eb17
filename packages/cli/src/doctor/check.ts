import type { ModelStore } from '@petals-chat/hub'
import type { ResolvedConfig } from '../config/load.ts'
import type { Environment } from '../config/overrides.ts'

/** `warning` is worth a look and stops nothing; `failure` has to be mended. */
export type CheckStatus = 'ok' | 'warning' | 'failure'

export interface CheckResult {
  readonly status: CheckStatus
  /** What was found, in a sentence without its point. */
  readonly message: string
  /** How to mend or improve it. */
  readonly advice?: string | undefined
}

export interface CheckContext {
  readonly config: ResolvedConfig
  readonly store: ModelStore
  readonly environment: Environment
  /** What relative paths of the configuration are relative to. */
  readonly baseFolder: string
}

export interface Check {
  readonly name: string
  run(context: CheckContext): Promise<CheckResult>
}

export const ok = (message: string, advice?: string): CheckResult => ({ status: 'ok', message, advice })
export const warning = (message: string, advice?: string): CheckResult => ({
  status: 'warning',
  message,
  advice,
})
export const failure = (message: string, advice?: string): CheckResult => ({
  status: 'failure',
  message,
  advice,
})

/** Runs all checks at once; one that fails itself is a failure like any other. Results come in the order of the checks. */
export function runChecks(checks: readonly Check[], context: CheckContext): Promise<readonly CheckResult[]> {
  return Promise.all(
    checks.map(({ run }) =>
      run(context).catch((error: unknown) =>
        failure(`this could not be checked: ${error instanceof Error ? error.message : String(error)}`),
      ),
    ),
  )
}
