import type { Scope } from '@petals-chat/api'
import type { ClientAddress } from '../client-address.ts'
import { AuthenticationError, GatewayError, RateLimitError } from '../errors.ts'
import { isUnusableFile } from '../unusable-file.ts'
import { anonymousCaller, type Caller, guestCaller } from './caller.ts'

/** The part of a request, or of a WebSocket's upgrade, that says who sent it. */
export interface CallerRequest {
  /** The value of a header, by its name in lower case. */
  header(name: string): string | undefined
  readonly client: ClientAddress
  /** The other end of the connection: perhaps a proxy. */
  readonly remoteAddress: string | undefined
}

/** One kind of credential: API keys, cookies of signed-in people, names from a trusted proxy. */
export interface CallerSource {
  /**
   * Returns the caller whose credential the request has; undefined if it has none of this kind.
   * @throws AuthenticationError if it has one that is wrong, expired or revoked; RateLimitError (429) after too many of them.
   */
  identify(request: CallerRequest): Caller | undefined
  /** Reports whether the request has a credential of this kind that `identify` passes over, such as the cookie of a sign-in that has ended. */
  presents?(request: CallerRequest): boolean
  /** Names the credential that a caller of this source has shown, so that a sign-in with it lasts no longer than it does. */
  credentialOf?(caller: Caller): string | undefined
  /** Returns the caller of a credential, as it is now; undefined if the credential does not count any more. */
  callerOf?(credential: string): Caller | undefined
}

/**
 * The one place where callers are identified, for every route and every kind of credential. Without a source, all clients are
 * the same caller, who may do everything.
 */
export class Access {
  readonly #sources: readonly CallerSource[]

  /** `sources`: in the order of their precedence. */
  constructor(sources: readonly CallerSource[]) {
    this.#sources = sources
  }

  /** This server asks for credentials. */
  get isRequired(): boolean {
    return this.#sources.length > 0
  }

  /**
   * Returns the caller of a request to a route of `scope`. To an `open` route, a wrong credential is as good as none.
   * @throws AuthenticationError (401) without a valid credential; GatewayError `scope_required` (403) if the caller
   * may not call the route.
   */
  authorize(request: CallerRequest, scope: Scope | 'open'): Caller {
    if (!this.isRequired) return anonymousCaller
    if (scope === 'open') return this.#openCaller(request)
    const caller = this.#identify(request)
    if (caller === undefined) throw missingCredential()
    return permitted(caller, scope)
  }

  /**
   * Like `authorize`, but returns undefined for a request without any credential, not even one that does not count: it may
   * follow in a message.
   */
  authorizeIfPresent(request: CallerRequest, scope: Scope | 'open'): Caller | undefined {
    if (!this.isRequired) return anonymousCaller
    if (scope === 'open') return this.#openCaller(request)
    const caller = this.#identify(request)
    if (caller !== undefined) return permitted(caller, scope)
    if (this.#sources.some((source) => source.presents?.(request))) throw missingCredential()
    return undefined
  }

  #openCaller(request: CallerRequest): Caller {
    try {
      return this.#identify(request) ?? guestCaller
    } catch (error) {
      if (error instanceof AuthenticationError || error instanceof RateLimitError) return guestCaller
      if (isUnusableFile(error)) return guestCaller
      throw error
    }
  }

  #identify(request: CallerRequest): Caller | undefined {
    for (const source of this.#sources) {
      const caller = source.identify(request)
      if (caller !== undefined) return caller
    }
    return undefined
  }
}

/** Returns the caller. @throws AuthenticationError or GatewayError if it may not call a route of `scope`. */
function permitted(caller: Caller, scope: Scope): Caller {
  caller.signal.throwIfAborted()
  if (!caller.scopes.has(scope)) throw missingScope(caller, scope)
  return caller
}

const missingCredential = (): AuthenticationError =>
  new AuthenticationError(
    'authentication_required',
    'This server asks for an API key. Send it as "Authorization: Bearer KEY", or in the header x-api-key or api-key; ' +
      'on a WebSocket also as "api_key" in the first message. On the page, sign in. The operator of this server makes keys with: petals-chat keys create',
  )

const missingScope = ({ name }: Caller, scope: Scope): GatewayError =>
  new GatewayError(
    'scope_required',
    `'${name}' may not do this: the scope '${scope}' is missing. Ask the operator of this server for a key that has it.`,
  )
