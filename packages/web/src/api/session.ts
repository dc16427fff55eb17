import type { SessionBody } from '@petals-chat/api'
import { bodyOf } from './body-of.ts'
import { apiErrorFromResponse, toApiError } from './errors.ts'
import { isRecord, number, text, type Untrusted } from './read-json.ts'

/** The person who is signed in on this page. */
export interface SessionUser {
  readonly name: string
  /** With an API key, through the OpenID Connect provider, or by the proxy in front of the server. */
  readonly via: 'key' | 'openid' | 'proxy'
  /** When the sign-in ends, in milliseconds since 1970. */
  readonly expiresAt: number | undefined
}

/** How a person can sign in. */
export interface SignInWays {
  readonly key: boolean
  /** Name of the provider. */
  readonly openid: string | undefined
  /** Where the browser goes to sign out from the proxy. */
  readonly signOut: string | undefined
}

/** Who is signed in, as `GET /v1/session` says. */
export interface Session {
  /** Without it, every visitor may use this server. */
  readonly required: boolean
  readonly user: SessionUser | undefined
  readonly ways: SignInWays
}

/** Why the provider's redirect came back without a sign-in; it stands in the query of the page's address. */
export const signInFailures = ['denied', 'not_allowed', 'expired', 'provider'] as const
export type SignInFailure = (typeof signInFailures)[number]

/** Address that leads to the provider, relative to the page. */
export const OPENID_ADDRESS = 'sign-in'

/** How the page asks who is signed in, and signs in and out. */
export interface SessionClient {
  /** @throws ApiError */
  fetch(): Promise<Session>
  /** @throws ApiError, with the kind `signed-out` if the key is not valid. */
  signIn(key: string): Promise<Session>
  /** @throws ApiError */
  signOut(): Promise<void>
}

const ADDRESS = 'v1/session'
const TIMEOUT_MS = 10_000

/** A server of an earlier version knows no sign-in. */
const openSession: Session = {
  required: false,
  user: undefined,
  ways: { key: false, openid: undefined, signOut: undefined },
}

export const sessionClient: SessionClient = {
  async fetch() {
    const response = await send({})
    if (response.status === 404) return openSession
    return parseSession(await bodyOf(response))
  },
  async signIn(key) {
    const body = JSON.stringify({ key })
    const headers = { 'content-type': 'application/json' }
    return parseSession(await bodyOf(await send({ method: 'POST', headers, body })))
  },
  async signOut() {
    const response = await send({ method: 'DELETE' })
    if (!response.ok) throw await apiErrorFromResponse(response)
  },
}

async function send(init: RequestInit): Promise<Response> {
  try {
    return await fetch(ADDRESS, { ...init, cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS) })
  } catch (cause) {
    throw toApiError(cause)
  }
}

/** Reads the body defensively, as of an older or a newer server. */
export function parseSession(body: unknown): Session {
  const { required, user, ways }: Untrusted<SessionBody> = isRecord(body) ? body : {}
  const known: Untrusted<SessionBody['ways']> = isRecord(ways) ? ways : {}
  const openid = isRecord(known.openid) ? text(known.openid['name']) : undefined
  return {
    required: required === true,
    user: parseUser(user),
    ways: { key: known.key === true, openid, signOut: webPlace(known.sign_out) },
  }
}

function parseUser(value: unknown): SessionUser | undefined {
  const user: Untrusted<NonNullable<SessionBody['user']>> | undefined = isRecord(value) ? value : undefined
  const name = text(user?.name)
  if (user === undefined || name === undefined) return undefined
  const via = user.via === 'openid' || user.via === 'proxy' ? user.via : 'key'
  const seconds = number(user.expires_at)
  return { name, via, expiresAt: seconds === undefined ? undefined : seconds * 1000 }
}

/** Accepts a path or an http address: a config must not put `javascript:` behind a button. */
function webPlace(value: unknown): string | undefined {
  const place = text(value)
  return place && /^(\/(?!\/)|https?:\/\/)/i.test(place) ? place : undefined
}
