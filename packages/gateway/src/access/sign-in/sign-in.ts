import { createHash } from 'node:crypto'
import type { SessionBody } from '@petals-chat/api'
import type { Logger } from '@petals-chat/engine'
import { isCrossOrigin, originOf } from '../../request-origin.ts'
import type { CallerRequest, CallerSource } from '../access.ts'
import { type Caller, unrevoked } from '../caller.ts'
import type { SignInConfig } from './config.ts'
import { readCookie, sessionCookie } from './cookies.ts'
import type { OpenIdProvider } from './openid-provider.ts'
import type { OpenIdUser } from './openid-users.ts'
import { MemoryPageSessions } from './memory-page-sessions.ts'
import type { PageSession, PageSessionStore } from './page-session-store.ts'
import { PageSessions, type StartedSession } from './page-sessions.ts'
import { proxyUsers } from './proxy-users.ts'

export interface SignInOptions {
  readonly config: SignInConfig
  readonly store: PageSessionStore
  /** API keys. */
  readonly keys: CallerSource | undefined
  readonly isTrustedProxy: (remoteAddress: string | undefined) => boolean
  readonly logger: Logger
}

/**
 * Returns how people sign in; undefined on a server that asks for no credentials.
 * `keys`: what identifies programs; with their keys, people can sign in too. Without a `store`, sign-ins end with the process.
 */
export function createSignIn({
  store = new MemoryPageSessions(),
  ...options
}: Omit<SignInOptions, 'store'> & { readonly store: PageSessionStore | undefined }): SignIn | undefined {
  const { keys, config } = options
  if (keys === undefined && config.openid === undefined && config.proxy === undefined) return undefined
  return new SignIn({ ...options, store })
}

type User = Pick<Caller, 'id' | 'name'>

/** How people sign in on the page, and who is signed in. */
export class SignIn implements Disposable {
  readonly sessions: PageSessions
  /** As the page is told. */
  readonly ways: SessionBody['ways']
  /** What identifies signed-in people, in the order of precedence. */
  readonly sources: readonly CallerSource[]
  readonly #config: SignInConfig
  readonly #keys: CallerSource | undefined
  #openid: Promise<OpenIdProvider> | undefined

  constructor({ config, store, keys, isTrustedProxy, logger }: SignInOptions) {
    const { openid, proxy, hours } = config
    this.#config = config
    this.#keys = keys
    this.sessions = new PageSessions({
      store,
      logger,
      lifetimeMs: hours * 3_600_000,
      callerOf: (session) => this.#callerOf(session),
    })
    this.ways = {
      key: keys !== undefined,
      openid: openid ? { name: openid.name ?? new URL(openid.issuer).host } : null,
      sign_out: proxy?.signOutUrl ?? null,
    }
    const byCookie: CallerSource = {
      identify: (request) => this.find(request)?.caller,
      presents: (request) => ownCookie(request) !== undefined,
    }
    const callerOf = (user: User) => this.#userCaller(user)
    this.sources = proxy
      ? [byCookie, proxyUsers({ config: proxy, isTrusted: isTrustedProxy, callerOf })]
      : [byCookie]
  }

  /** The provider of OpenID Connect; undefined if the config names none. Its library is loaded by the first sign-in. */
  get openid(): Promise<OpenIdProvider> | undefined {
    const { openid } = this.#config
    if (openid === undefined) return undefined
    return (this.#openid ??= import('./openid-provider.ts').then(
      (module) => new module.OpenIdProvider(openid),
    ))
  }

  /** Ends the session of a header `cookie`, and all that still runs for it. */
  end(cookieHeader: string | undefined): void {
    this.sessions.end(readCookie(cookieHeader, sessionCookie))
  }

  /** Returns the session of the cookie that a page of this server sent. */
  find(request: Pick<CallerRequest, 'header'>): ReturnType<PageSessions['find']> {
    const token = ownCookie(request)
    return token === undefined ? undefined : this.sessions.find(token)
  }

  /**
   * Returns the caller of an API key; undefined if this server has no keys.
   * @throws AuthenticationError if the key is not valid.
   */
  keyCaller(key: string, client: CallerRequest['client']): Caller | undefined {
    const header = (name: string) => (name === 'authorization' ? `Bearer ${key}` : undefined)
    return this.#keys?.identify({ header, client, remoteAddress: undefined })
  }

  /** Signs in the caller of a key. */
  withKey(caller: Caller): StartedSession {
    const credential = this.#keys?.credentialOf?.(caller) ?? ''
    return this.sessions.start({ callerId: caller.id, name: caller.name, policy: KEY_POLICY + credential })
  }

  /** Signs in a user whom the provider knows, and the config lets in. */
  withUser({ issuer, subject, name }: OpenIdUser): StartedSession {
    const callerId = `user:${shortHash(issuer)}:${subject}`
    return this.sessions.start({ callerId, name, policy: this.#openIdPolicy() })
  }

  [Symbol.dispose](): void {
    this.sessions[Symbol.dispose]()
  }

  #callerOf({ callerId, name, policy }: PageSession): Caller | undefined {
    if (policy.startsWith(KEY_POLICY)) return this.#keys?.callerOf?.(policy.slice(KEY_POLICY.length))
    return policy === this.#openIdPolicy() ? this.#userCaller({ id: callerId, name }) : undefined
  }

  #userCaller({ id, name }: User): Caller {
    const { scopes, models, limits } = this.#config.users
    return {
      id,
      name,
      credential: 'sign-in',
      scopes: new Set(scopes),
      models,
      limits,
      signal: unrevoked,
    }
  }

  /** A user who is taken off the list must not stay signed in: after a change of the list, all must sign in again. */
  #openIdPolicy(): string {
    const { openid } = this.#config
    return openid === undefined
      ? 'none'
      : `openid:${shortHash(JSON.stringify([openid.issuer, openid.clientId, openid.users, openid.groups]))}`
  }
}

/**
 * Returns the cookie that a page of this server sent. `server.cors` may let other pages use the APIs with a key of their own,
 * but never with the cookie of a person who is signed in here: pages of the same site (another port, a neighbouring
 * subdomain) would get it in spite of SameSite.
 */
const ownCookie = ({ header }: Pick<CallerRequest, 'header'>): string | undefined =>
  isCrossOrigin(originOf(header)) ? undefined : readCookie(header('cookie'), sessionCookie)

/** Before the name of the credential. The key itself says what its caller may do, at every request. */
const KEY_POLICY = 'key:'

const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16)
