import type { AccessLimits } from '@petals-chat/api'
import { AccessError } from '../access-error.ts'
import type { KeyRecord, NewKey } from './key-record.ts'

/** What a maker may hand on. */
export type Grant = Pick<KeyRecord, 'name' | 'scopes' | 'models' | 'limits' | 'expiresAt'>

/** Bounds on what happens in a time: several keys that each have the whole bound would have it several times. */
const budgets = [
  'requestsPerMinute',
  'tokensPerMinute',
  'tokensPerDay',
  'parallelAnswers',
  'swarmSecondsPerDay',
] as const satisfies readonly (keyof AccessLimits)[]

/**
 * Asserts that a new key has nothing that its maker lacks: scopes, models, context, time.
 * @throws AccessError `not_granted` that names what is too much.
 */
export function assertGrants(maker: Grant, wanted: Required<Pick<NewKey, 'scopes'>> & NewKey): void {
  const refuse = (what: string) => {
    throw new AccessError('not_granted', `A key never grants more than the key that makes it: ${what}.`)
  }
  const scope = wanted.scopes!.find((candidate) => !maker.scopes.includes(candidate))
  if (scope !== undefined) refuse(`'${maker.name}' lacks the scope '${scope}'`)
  const model = maker.models && wanted.models?.find((candidate) => !maker.models!.includes(candidate))
  if (model !== undefined) refuse(`'${maker.name}' may not use the model '${model}'`)
  const budget = budgets.find((name) => maker.limits[name] !== undefined)
  if (budget !== undefined) refuse(`'${maker.name}' has the limit ${budget}, so it may make no keys`)
  if ((wanted.limits?.maxContext ?? 0) > (maker.limits.maxContext ?? Infinity))
    refuse(`maxContext is at most ${maker.limits.maxContext}`)
  if (maker.expiresAt !== undefined && (wanted.expiresAt ?? 0) > maker.expiresAt)
    refuse(`'${maker.name}' expires at ${new Date(maker.expiresAt).toISOString()}`)
}

/** Returns the new key with what it takes over from its maker where it asks for nothing of its own. */
export const inherit = <Wanted extends NewKey>(maker: Grant, wanted: Wanted): Wanted => ({
  ...wanted,
  models: wanted.models ?? maker.models,
  expiresAt: wanted.expiresAt ?? maker.expiresAt,
  limits: { ...maker.limits, ...wanted.limits },
})
