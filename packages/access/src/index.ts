/**
 * Who may use a server, and how much: API keys with scopes, expiry and limits, and the browsers in which people are signed
 * in, stored as hashes in an SQLite file.
 *
 * ```ts
 * const keys = new KeyStore(openAccessDatabase('access.sqlite')) // from @petals-chat/access/database
 * const { token } = keys.create({ name: 'lab' })
 * const result = keys.verify(token)
 * ```
 *
 * Only `@petals-chat/access/database` loads `node:sqlite`.
 *
 * @packageDocumentation
 */
export { type AccessLimits, accessLimitsSchema, type Scope, scopes } from '@petals-chat/api'
export { AccessError } from './access-error.ts'
export { assertGrants, type Grant } from './keys/grant.ts'
export type { CreatedKey, KeyRecord, KeyVerdict, NewKey } from './keys/key-record.ts'
export { defaultScopes, KeyStore, type KeyStoreOptions } from './keys/key-store.ts'
export { isKeyToken } from './keys/key-token.ts'
export { MAX_SIGN_INS_PER_CALLER, type SignInRecord, SignInStore } from './sign-ins/sign-in-store.ts'
export { dayOf, type UsageEntry, type UsageQuery, UsageStore } from './usage/usage-store.ts'
