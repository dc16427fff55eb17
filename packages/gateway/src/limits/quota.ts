import type { AccessLimits } from '@petals-chat/api'
import type { Caller } from '../access/caller.ts'
import type { LimitsConfig } from './limits-config.ts'

/** Whose requests are counted together, and what they may use. */
export interface Quota {
  /** The name under which requests are counted (`GatewayVariables.account`): a caller's id, or an address. */
  readonly account: string
  /** The caller's id, under which its use is kept. It names no address. */
  readonly caller: string
  /** The subject of a message: `This key`, `Your address`. */
  readonly title: string
  readonly limits: AccessLimits
}

/** Returns the quota of a caller. The caller's own limits take precedence over those of the config, one by one. */
export function quotaOf(caller: Caller, account: string, config: LimitsConfig): Quota {
  const isShared = account !== caller.id
  const defaults = isShared ? config.perAddress : config.perCaller
  return {
    account,
    caller: caller.id,
    title: isShared ? 'Your address' : caller.id.startsWith('key:') ? 'This key' : 'Your account',
    limits: { ...defaults, ...definedOf(caller.limits) },
  }
}

const definedOf = (limits: AccessLimits): AccessLimits =>
  Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined))
