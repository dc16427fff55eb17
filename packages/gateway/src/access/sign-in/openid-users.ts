import type { OpenIdConfig } from './openid-config.ts'

/** A person as the provider describes them. */
export interface OpenIdUser {
  readonly issuer: string
  /** Never changes, and is unique at the issuer; everything else may be given to another account later. */
  readonly subject: string
  /** For people to read. */
  readonly name: string
  readonly email: string | undefined
  readonly emailVerified: boolean
  readonly groups: readonly string[]
}

/**
 * Reads a user from the claims of an ID token (OpenID Connect Core 1.0, section 5.1; `groups` is what most providers call
 * theirs). Claims of a wrong type count as missing.
 */
export function readUser(
  issuer: string,
  subject: string,
  claims: Readonly<Record<string, unknown>>,
): OpenIdUser {
  const email = text(claims['email'])
  const groups = claims['groups']
  return {
    issuer,
    subject,
    name: text(claims['name']) ?? text(claims['preferred_username']) ?? email ?? subject.slice(0, MAX_NAME),
    email,
    emailVerified: claims['email_verified'] === true,
    groups: Array.isArray(groups) ? groups.filter((group) => typeof group === 'string') : [],
  }
}

/** Reports whether the config lets a user in. An unverified address is only a claim of its owner. */
export function mayUse({ users, groups }: Pick<OpenIdConfig, 'users' | 'groups'>, user: OpenIdUser): boolean {
  return users.some((entry) => isMeant(entry, user)) || groups.some((group) => user.groups.includes(group))
}

function isMeant(entry: string, { subject, email, emailVerified }: OpenIdUser): boolean {
  if (entry === '*') return true
  if (entry.startsWith('sub:')) return entry.slice('sub:'.length) === subject
  if (email === undefined || !emailVerified) return false
  const address = email.toLowerCase()
  const meant = entry.toLowerCase()
  return meant.startsWith('@') ? address.slice(address.lastIndexOf('@')) === meant : address === meant
}

const MAX_NAME = 200

/** A text of printable characters, no longer than a line; undefined if there is none. */
function text(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const printable = value.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '').trim()
  return printable === '' ? undefined : printable.slice(0, MAX_NAME)
}
