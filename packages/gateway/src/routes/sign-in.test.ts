import { afterEach, describe, expect, it } from 'vitest'
import { startOpenIdServer } from '../fixtures/openid-server.ts'
import { PageClient } from '../fixtures/page-client.ts'
import { startTestServer } from '../fixtures/test-server.ts'

const open: AsyncDisposable[] = []
afterEach(async () => {
  for (const server of open.splice(0)) await server[Symbol.asyncDispose]()
})

const accounts = {
  ada: { name: 'Ada', email: 'ada@example.org', email_verified: true },
  eve: { name: 'Eve', email: 'eve@example.com', email_verified: true },
}

/** A server whose users sign in at a real provider, on another host. */
async function start(config: object = {}) {
  const provider = await startOpenIdServer({ accounts })
  const { issuer, clientId, clientSecret } = provider
  const openid = { issuer, clientId, clientSecret, users: ['@example.org'], name: 'Lab' }
  const server = await startTestServer({ config: { signIn: { openid }, ...config } })
  open.push(server, provider)
  provider.register(`${server.url}/sign-in/callback`)
  return { provider, server, page: new PageClient(server.url) }
}

/** Lets the browser of a page sign in; returns the address at which it stands afterwards. */
async function signIn(page: PageClient, login: string): Promise<URL> {
  const isPage = ({ origin, pathname }: URL) => origin === page.url && pathname === '/'
  return (await page.browser.signIn(new URL(`${page.url}/sign-in`), login, isPage))!
}

describe('a sign-in through a provider', () => {
  it('brings the reader back to the page, signed in', async () => {
    const { page, server } = await start()
    expect(await page.session()).toMatchObject({
      required: true,
      user: null,
      ways: { key: false, openid: { name: 'Lab' } },
    })
    expect((await signIn(page, 'ada')).href).toBe(`${server.url}/`)
    const { user } = await page.session()
    expect(user).toMatchObject({
      name: 'Ada',
      via: 'openid',
      scopes: ['models', 'openai', 'legacy', 'swarm'],
    })
    expect(user!.id).toMatch(/^user:[0-9a-f]{16}:ada$/)
    expect((await page.chat()).status).toBe(200)
    expect((await page.fetch('/metrics')).status).toBe(403)
    expect(page.cookie).not.toContain('petals_chat_sign_in')
  })

  it('says why it failed in the address of the page, and makes no session', async () => {
    const { page } = await start()
    expect((await signIn(page, 'eve')).search).toBe('?sign-in=not_allowed')
    expect((await page.session()).user).toBeNull()
    const late = await page.fetch('/sign-in/callback?code=x&state=y')
    expect([late.status, late.headers.get('location')]).toEqual([303, '../?sign-in=expired'])
    const restarted = await start()
    restarted.provider.answerWith((_, response) => void response.writeHead(500).end())
    const down = await restarted.page.fetch('/sign-in')
    expect([down.status, down.headers.get('location')]).toEqual([303, './?sign-in=provider'])
  })

  it('counts only in the browser in which it began, and once', async () => {
    const { page, server } = await start()
    const callback = `${server.url}/sign-in/callback`
    const begun = async () =>
      (await page.browser.signIn(new URL(`${server.url}/sign-in`), 'ada', ({ href }) =>
        href.startsWith(callback),
      ))!
    const address = await begun()
    // A stranger sends the address to another person, who would then write into the stranger's account.
    const victim = new PageClient(server.url)
    await victim.fetch('/sign-in')
    for (const other of [new PageClient(server.url), victim]) {
      const response = await other.browser.fetch(address)
      expect(response.headers.get('location')).toBe('../?sign-in=expired')
      expect((await other.session()).user).toBeNull()
    }
    expect((await page.browser.fetch(address)).headers.get('location')).toBe('../')
    expect((await page.browser.fetch(address)).headers.get('location')).toBe('../?sign-in=expired')
  })

  it('sends the browser nowhere but to the provider and the page', async () => {
    const { server } = await start()
    for (const query of [
      '?return=//evil.example',
      '?redirect_uri=https://evil.example',
      '?next=javascript:1',
    ]) {
      const response = await new PageClient(server.url).fetch(`/sign-in${query}`)
      const target = new URL(response.headers.get('location')!)
      expect(target.searchParams.get('redirect_uri')).toBe(`${server.url}/sign-in/callback`)
      expect(target.href).not.toContain('evil')
    }
  })

  it('keeps the attempt in a cookie that comes back from the provider, for ten minutes', async () => {
    const { page } = await start()
    const response = await page.fetch('/sign-in')
    expect(response.headers.getSetCookie()).toEqual([
      expect.stringMatching(
        /^petals_chat_sign_in=[\w-]+; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax$/,
      ) as string,
    ])
    expect(response.headers.get('cache-control')).toBe('no-store')
  })

  it('holds below the path of a proxy, and behind TLS', async () => {
    const { server, provider } = await start({
      basePath: '/chat',
      trustedHosts: ['chat.example.org'],
      trustedProxies: ['loopback'],
    })
    provider.register('https://chat.example.org/chat/sign-in/callback')
    const request = (path: string, more = '') =>
      server.send(
        `GET ${path} HTTP/1.1\r\nhost: chat.example.org\r\nx-forwarded-proto: https\r\nconnection: close\r\n${more}\r\n`,
      )
    const answer = await request('/chat/sign-in')
    expect(decodeURIComponent(answer)).toContain(
      'redirect_uri=https://chat.example.org/chat/sign-in/callback',
    )
    expect(answer).toMatch(
      /set-cookie: __Secure-petals_chat_sign_in=.*Path=\/chat; HttpOnly; Secure; SameSite=Lax/i,
    )
  })

  it('ends when the reader signs out', async () => {
    const { page } = await start()
    await signIn(page, 'ada')
    expect((await page.session()).user?.name).toBe('Ada')
    expect((await page.fetch('/v1/session', { method: 'DELETE' })).status).toBe(204)
    expect((await page.session()).user).toBeNull()
    expect((await page.chat()).status).toBe(401)
  })
})

it('without a provider, /sign-in leads nowhere', async () => {
  const server = await startTestServer()
  open.push(server)
  for (const path of ['/sign-in', '/sign-in/callback?code=a&state=b'])
    expect((await fetch(server.url + path, { redirect: 'manual' })).status).toBe(404)
})
