import { setMaxListeners } from 'node:events'
import type { AccessLimits } from '@petals-chat/access'
import { scopes, type Scope } from '@petals-chat/api'
import { addressAccount } from '../address-account.ts'
import type { ClientAddress } from '../client-address.ts'

/** Who sent a request, and what the sender may do. */
export interface Caller {
  /**
   * Stable and not secret: `anonymous`, `key:<id>`, `user:<hash of the issuer>:<sub>`, `proxy:<name>`. Kept answers and
   * sessions belong to it.
   */
  readonly id: string
  /** For people: the name of the key or of the user. */
  readonly name: string
  /** What showed who it is: an API key, or a person's sign-in on the page or at a proxy. */
  readonly credential: 'none' | 'key' | 'sign-in'
  readonly scopes: ReadonlySet<Scope>
  /** Ids of the models that the caller may see and use; undefined: all. */
  readonly models: readonly string[] | undefined
  readonly limits: AccessLimits
  /**
   * Aborts with an AccessRevokedError within a second after the key was revoked, expired or signed out. It is a part of
   * the signal of every request.
   */
  readonly signal: AbortSignal
}

/** A signal that never aborts. */
export const unrevoked: AbortSignal = new AbortController().signal
setMaxListeners(0, unrevoked)

const unnamed = {
  id: 'anonymous',
  name: 'anonymous',
  credential: 'none',
  models: undefined,
  limits: {},
  signal: unrevoked,
} as const

/** Every client of a server that asks for no credentials. */
export const anonymousCaller: Caller = { ...unnamed, scopes: new Set(scopes) }

/** A client without credentials on a server that asks for them: it may call only what is open. */
export const guestCaller: Caller = { ...unnamed, scopes: new Set() }

/**
 * Returns the account of a request: the name under which it waits, is limited, and finds KV caches again. Callers without a
 * credential have one id, so their network distinguishes them.
 */
export const accountOf = ({ id }: Pick<Caller, 'id'>, client: Pick<ClientAddress, 'network'>): string =>
  id === 'anonymous' ? addressAccount(client) : id

/** Reports whether the caller may see and use a model. */
export const mayUseModel = ({ models }: Pick<Caller, 'models'>, id: string): boolean =>
  models === undefined || models.includes(id)
