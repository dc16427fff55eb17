import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FormBrowser, type OpenIdServer, startOpenIdServer } from '../../fixtures/openid-server.ts'
import { openIdSchema } from './openid-config.ts'
import { OpenIdProvider } from './openid-provider.ts'

const redirectUri = 'http://127.0.0.1:5000/sign-in/callback'
const accounts = {
  ada: { name: 'Ada\u001b[31m', email: 'Ada@example.org', email_verified: true },
  eve: { name: 'Eve', email: 'eve@example.org', email_verified: false },
  bob: { groups: ['lab'] },
}

let server: OpenIdServer
beforeAll(async () => {
  server = await startOpenIdServer({ accounts })
  server.register(redirectUri)
})
afterAll(() => server[Symbol.asyncDispose]())

function providerFor(more: object = { users: ['*'] }): OpenIdProvider {
  const { issuer, clientId, clientSecret } = server
  return new OpenIdProvider(openIdSchema.parse({ issuer, clientId, clientSecret, ...more }))
}

/** Goes to the provider as a browser, and comes back as `login`. */
async function attemptOf(provider: OpenIdProvider, login: string) {
  const { url, attempt } = await provider.begin(redirectUri)
  const back = await new FormBrowser().signIn(url, login, ({ href }) => href.startsWith(redirectUri))
  return { attempt, search: back!.search }
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    ({ failure: kind }: { readonly failure: string }) => kind,
  )

describe('a sign-in through a provider', () => {
  it('tells who it is, in printable characters', async () => {
    const provider = providerFor()
    const { attempt, search } = await attemptOf(provider, 'ada')
    expect(await provider.finish(attempt, search)).toEqual({
      issuer: server.issuer,
      subject: 'ada',
      name: 'Ada[31m',
      email: 'Ada@example.org',
      emailVerified: true,
      groups: [],
    })
  })

  it('uses a code once, and takes it only with its own state, nonce and verifier', async () => {
    const provider = providerFor()
    const { attempt, search } = await attemptOf(provider, 'ada')
    const other = (await provider.begin(redirectUri)).attempt
    expect(await failure(provider.finish({ ...attempt, state: other.state }, search))).toBe('expired')
    expect(await failure(provider.finish({ ...attempt, verifier: other.verifier }, search))).toBe('provider')
    const again = await attemptOf(provider, 'ada')
    expect(await failure(provider.finish({ ...again.attempt, nonce: other.nonce }, again.search))).toBe(
      'provider',
    )
    const third = await attemptOf(provider, 'ada')
    await provider.finish(third.attempt, third.search)
    expect(await failure(provider.finish(third.attempt, third.search))).toBe('provider')
  })

  it('refuses an answer in the name of another issuer (RFC 9207)', async () => {
    const provider = providerFor()
    const { attempt, search } = await attemptOf(provider, 'ada')
    const query = new URLSearchParams(search)
    query.set('iss', 'https://evil.example')
    expect(await failure(provider.finish(attempt, `?${query}`))).toBe('provider')
  })

  it('says that the person refused', async () => {
    const provider = providerFor()
    const { attempt } = await provider.begin(redirectUri)
    const query = new URLSearchParams({ error: 'access_denied', state: attempt.state, iss: server.issuer })
    expect(await failure(provider.finish(attempt, `?${query}`))).toBe('denied')
  })

  it.each([
    ['ada', { users: ['ada@example.org'] }, undefined],
    ['ada', { users: ['@EXAMPLE.org'] }, undefined],
    ['ada', { users: ['@ple.org'] }, 'not_allowed'],
    ['ada', { users: ['sub:bob'] }, 'not_allowed'],
    ['eve', { users: ['eve@example.org', '@example.org'] }, 'not_allowed'],
    ['eve', { users: ['sub:eve'] }, undefined],
    ['bob', { groups: ['lab'], scopes: ['openid', 'groups'] }, undefined],
    ['bob', { groups: ['other'], scopes: ['openid', 'groups'] }, 'not_allowed'],
  ])('%s with %j: %s', async (login, list, expected) => {
    const provider = providerFor(list)
    const { attempt, search } = await attemptOf(provider, login)
    expect(await failure(provider.finish(attempt, search))).toBe(expected)
  })

  it('works without a client secret', async () => {
    await using open = await startOpenIdServer({ accounts, isPublic: true })
    open.register(redirectUri)
    const { issuer, clientId } = open
    const provider = new OpenIdProvider(openIdSchema.parse({ issuer, clientId, users: ['*'] }))
    const { attempt, search } = await attemptOf(provider, 'bob')
    expect((await provider.finish(attempt, search)).name).toBe('bob')
  })

  it('finds a provider that was down before, and refuses one that names another issuer', async () => {
    const provider = providerFor()
    server.answerWith((_, response) => void response.writeHead(503).end())
    expect(await failure(provider.begin(redirectUri))).toBe('provider')
    server.answerWith((_, response) => {
      response.setHeader('content-type', 'application/json')
      response.end(
        JSON.stringify({ issuer: 'https://evil.example', authorization_endpoint: 'https://evil.example' }),
      )
    })
    expect(await failure(provider.begin(redirectUri))).toBe('provider')
    server.answerWith(undefined)
    expect((await provider.begin(redirectUri)).url.origin).toBe(server.issuer)
  })
})

describe('the config', () => {
  const parse = (more: object) =>
    openIdSchema.safeParse({ issuer: 'https://login.example.org', clientId: 'a', users: ['*'], ...more })

  it.each([
    { issuer: 'http://login.example.org' },
    { issuer: 'https://login.example.org?a=b' },
    { issuer: 'https://user@login.example.org' },
    { issuer: 'login.example.org' },
    { users: [] },
    { users: ['ada'] },
    { redirectUri: 'javascript:alert(1)' },
    { scopes: ['open id'] },
  ])('refuses %j', (more) => expect(parse(more).success).toBe(false))

  it.each([{}, { issuer: 'http://localhost:8080/realms/lab' }, { users: [], groups: ['lab'] }])(
    'takes %j',
    (more) => expect(parse(more).success).toBe(true),
  )
})
