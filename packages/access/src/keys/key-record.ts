import type { AccessLimits, Scope } from '@petals-chat/api'

/** A key without its secret, which only its user has. Times are milliseconds since 1970. */
export interface KeyRecord {
  readonly id: string
  /** For people; unique among the keys that are not revoked. */
  readonly name: string
  readonly scopes: readonly Scope[]
  /** Ids of models; undefined: all. */
  readonly models: readonly string[] | undefined
  readonly limits: AccessLimits
  readonly createdAt: number
  /** Undefined: never. */
  readonly expiresAt: number | undefined
  readonly revokedAt: number | undefined
  /** To the minute. */
  readonly lastUsedAt: number | undefined
  /** Id of the key that made it; undefined: the operator did. */
  readonly madeBy: string | undefined
}

/** What a new key is to have. */
export interface NewKey {
  readonly name: string
  /** Default: `defaultScopes`. */
  readonly scopes?: readonly Scope[] | undefined
  /** Default: all that its maker has. */
  readonly models?: readonly string[] | undefined
  readonly limits?: AccessLimits | undefined
  readonly expiresAt?: number | undefined
}

export interface CreatedKey {
  readonly key: KeyRecord
  /** The key as its user sends it. It can't be read again. */
  readonly token: string
}

/** What a token is worth. `unknown` also where the id exists and the secret is wrong. */
export type KeyVerdict =
  | {
      readonly state: 'valid'
      readonly key: KeyRecord
      /** Distinguishes the secrets of a key that was rotated. */
      readonly secretId: number
      /** When the key or its secret ends; undefined: never. */
      readonly validUntil: number | undefined
    }
  | { readonly state: 'unknown' | 'expired' | 'revoked' }
