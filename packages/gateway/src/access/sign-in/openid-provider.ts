import * as openid from 'openid-client'
import { isLoopbackHost } from '../../host-address.ts'
import type { OpenIdConfig } from './openid-config.ts'
import { mayUse, type OpenIdUser, readUser } from './openid-users.ts'
import { SignInError } from './sign-in-error.ts'

/** What the browser keeps between its departure to the provider and its return. */
export interface SignInAttempt {
  readonly state: string
  readonly nonce: string
  readonly verifier: string
  readonly redirectUri: string
}

/** Longer than a provider takes that works; shorter than a person waits. */
const TIMEOUT_SECONDS = 10

/**
 * An OpenID Connect provider: the authorization code flow with PKCE, state and nonce (OpenID Connect Core 1.0, section 3.1;
 * RFC 7636; RFC 9700). It is discovered at the first sign-in, so that the server starts while the provider is down.
 */
export class OpenIdProvider {
  readonly #config: OpenIdConfig
  #discovered: Promise<openid.Configuration> | undefined

  constructor(config: OpenIdConfig) {
    this.#config = config
  }

  /** The registered redirect URI, if the config names it. */
  get redirectUri(): string | undefined {
    return this.#config.redirectUri
  }

  /**
   * Begins a sign-in: `url` is where the browser goes, `attempt` what it must bring back.
   * @throws SignInError `provider` if the provider can't be asked.
   */
  async begin(redirectUri: string): Promise<{ readonly url: URL; readonly attempt: SignInAttempt }> {
    const provider = await this.#discover()
    const attempt: SignInAttempt = {
      state: openid.randomState(),
      nonce: openid.randomNonce(),
      verifier: openid.randomPKCECodeVerifier(),
      redirectUri,
    }
    const url = openid.buildAuthorizationUrl(provider, {
      redirect_uri: redirectUri,
      scope: this.#config.scopes.join(' '),
      state: attempt.state,
      nonce: attempt.nonce,
      code_challenge: await openid.calculatePKCECodeChallenge(attempt.verifier),
      code_challenge_method: 'S256',
    })
    return { url, attempt }
  }

  /**
   * Ends a sign-in with the query that the browser brought back.
   * @throws SignInError that says whether the person, the provider or this server's list refused.
   */
  async finish(attempt: SignInAttempt, search: string): Promise<OpenIdUser> {
    const provider = await this.#discover()
    const returned = new URL(attempt.redirectUri)
    returned.search = search
    if (returned.searchParams.get('state') !== attempt.state)
      throw new SignInError('expired', 'The answer belongs to another attempt to sign in.')
    const user = await this.#exchange(provider, attempt, returned)
    if (!mayUse(this.#config, user)) throw new SignInError('not_allowed', describeRefusal(user))
    return user
  }

  async #exchange(
    provider: openid.Configuration,
    { state, nonce, verifier }: SignInAttempt,
    returned: URL,
  ): Promise<OpenIdUser> {
    try {
      const tokens = await openid.authorizationCodeGrant(provider, returned, {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: verifier,
        idTokenExpected: true,
      })
      const claims = tokens.claims()!
      const more = await this.#moreClaims(provider, tokens.access_token, claims)
      return readUser(claims.iss, claims.sub, { ...more, ...claims })
    } catch (cause) {
      throw exchangeError(cause)
    }
  }

  /** Most providers put only the subject into the ID token; the rest is at their UserInfo endpoint. */
  async #moreClaims(
    provider: openid.Configuration,
    accessToken: string,
    claims: openid.IDToken,
  ): Promise<Readonly<Record<string, unknown>>> {
    if (provider.serverMetadata().userinfo_endpoint === undefined) return {}
    return openid.fetchUserInfo(provider, accessToken, claims.sub)
  }

  /** A failed discovery is tried again by the next sign-in. */
  #discover(): Promise<openid.Configuration> {
    this.#discovered ??= discover(this.#config).catch((cause: unknown) => {
      this.#discovered = undefined
      throw new SignInError('provider', `The provider ${this.#config.issuer} can't be asked.`, { cause })
    })
    return this.#discovered
  }
}

async function discover({ issuer, clientId, clientSecret }: OpenIdConfig): Promise<openid.Configuration> {
  const address = new URL(issuer)
  const insecure = address.protocol === 'http:' && isLoopbackHost(address.hostname)
  const found = await openid.discovery(address, clientId, undefined, openid.None(), {
    timeout: TIMEOUT_SECONDS,
    execute: insecure ? [openid.allowInsecureRequests] : [],
  })
  const metadata = found.serverMetadata()
  const provider = new openid.Configuration(
    metadata,
    clientId,
    undefined,
    authentication(metadata, clientSecret),
  )
  provider.timeout = TIMEOUT_SECONDS
  if (insecure) openid.allowInsecureRequests(provider)
  // The ID token comes through TLS from its issuer; its signature is checked as well.
  openid.enableNonRepudiationChecks(provider)
  return provider
}

/** `client_secret_basic` is what every provider supports unless it says otherwise (OpenID Connect Discovery 1.0, section 3). */
function authentication(
  { token_endpoint_auth_methods_supported: methods }: openid.ServerMetadata,
  secret: string | undefined,
): openid.ClientAuth {
  if (secret === undefined) return openid.None()
  return methods === undefined || methods.includes('client_secret_basic')
    ? openid.ClientSecretBasic(secret)
    : openid.ClientSecretPost(secret)
}

/** The person, or the provider in their name, said no; everything else is a fault on the way. */
function exchangeError(cause: unknown): SignInError {
  if (cause instanceof openid.AuthorizationResponseError && cause.error === 'access_denied')
    return new SignInError('denied', 'The provider refused the sign-in.', { cause })
  if (cause instanceof openid.AuthorizationResponseError || cause instanceof openid.ResponseBodyError)
    return new SignInError('provider', `The provider answered with the error '${cause.error}'.`, { cause })
  return new SignInError('provider', 'The answer of the provider is not valid, or did not come.', { cause })
}

function describeRefusal({ email, emailVerified }: OpenIdUser): string {
  const unverified = email !== undefined && !emailVerified
  return `A user signed in who is not in the list of users${unverified ? '; the provider did not say that their address is verified' : ''}.`
}
