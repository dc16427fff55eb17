import type { ModelStore } from '@petals-chat/hub'
import type { ResolvedConfig } from '../config/load.ts'
import type { Environment } from '../config/overrides.ts'

/** A `warning` deserves attention but is not a failure; a `failure` must be fixed. */
export type CheckStatus = 'ok' | 'warning' | 'failure'

export interface CheckResult {
  readonly status: CheckStatus
  /** The finding, as a sentence without the full stop. */
  readonly message: string
  /** How to fix or improve it. */
  readonly advice?: string | undefined
}

export interface CheckContext {
  readonly config: ResolvedConfig
  readonly store: ModelStore
  readonly environment: Environment
  /** Base of relative paths in the configuration. */
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

/** Runs all checks concurrently. A check that throws counts as a failure. Results are in the order of the checks. */
export function runChecks(checks: readonly Check[], context: CheckContext): Promise<readonly CheckResult[]> {
  return Promise.all(
    checks.map(({ run }) =>
      run(context).catch((error: unknown) =>
        failure(`the check failed: ${error instanceof Error ? error.message : String(error)}`),
      ),
    ),
  )
}
