import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KeyStore, SignInStore } from '@petals-chat/access'
import { openAccessDatabase } from '@petals-chat/access/database'
import type { SessionBody } from '@petals-chat/api'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { PageClient } from '../fixtures/page-client.ts'
import { TestCallers } from '../fixtures/test-callers.ts'
import { readJson } from '../fixtures/test-gateway.ts'
import { startTestServer } from '../fixtures/test-server.ts'

const open: AsyncDisposable[] = []
afterEach(async () => {
  for (const server of open.splice(0)) await server[Symbol.asyncDispose]()
})

async function start(options: Parameters<typeof startTestServer>[0] = {}) {
  const callers = new TestCallers().add('one').add('two')
  const server = await startTestServer({ callers: [callers], ...options })
  open.push(server)
  return { server, callers, page: new PageClient(server.url) }
}

const endless = { max_tokens: 2_000, stream: true }
const codeOf = async (response: Response) => (await readJson(response)).error.code as string
const lastCode = async (response: Response) => /"code":"(\w+)"[^"]*$/.exec(await response.text())?.[1]

describe('a page without a sign-in', () => {
  it('learns that this server asks for none', async () => {
    const server = await startTestServer()
    open.push(server)
    expect(await new PageClient(server.url).session()).toEqual({
      object: 'session',
      required: false,
      user: null,
      ways: { key: false, openid: null, sign_out: null },
    })
    expect((await new PageClient(server.url).signIn('one')).status).toBe(404)
  })

  it('learns that this server asks for a key', async () => {
    const { page } = await start()
    expect(await page.session()).toMatchObject({ required: true, user: null, ways: { key: true } })
    expect(await codeOf(await page.chat())).toBe('authentication_required')
  })
})

describe('a sign-in with a key', () => {
  it('lets the page use what the key may use, by a cookie that no script can read', async () => {
    const { page } = await start()
    const response = await page.signIn('one')
    expect(response.status).toBe(200)
    expect(response.headers.get('cache-control')).toBe('no-store')
    const [cookie] = response.headers.getSetCookie()
    expect(cookie).toMatch(
      /^petals_chat_session=[\w-]{43}; Max-Age=604800; Path=\/; HttpOnly; SameSite=Strict$/,
    )
    const body = await readJson(response)
    expect(body.user).toMatchObject({ id: 'key:one', name: 'one', via: 'key' })
    expect(body.user.expires_at).toBeGreaterThan(Date.now() / 1000)
    expect(await page.session()).toEqual(body)
    expect((await page.chat()).status).toBe(200)
  })

  it('refuses a wrong key, and repeats no part of it', async () => {
    const { page } = await start()
    for (const key of ['a-wrong-key', 'x'.repeat(300), '', 'one\r\nx: y']) {
      const response = await page.signIn(key)
      expect(response.status).toBeGreaterThanOrEqual(400)
      expect(response.status).toBeLessThan(500)
      expect(response.headers.getSetCookie()).toEqual([])
      const text = await response.text()
      if (key !== '') expect(text).not.toContain(key.slice(0, 11))
    }
  })

  it('gives each sign-in a token of its own, and ends the one before in the same browser', async () => {
    const { server, page } = await start()
    await page.signIn('one')
    const before = page.cookie
    await page.signIn('two')
    expect((await page.session()).user?.name).toBe('two')
    const old = await fetch(`${server.url}/v1/models`, { headers: { cookie: before } })
    expect(old.status).toBe(401)
  })

  it('is not possible from pages of other sites, and their requests do not count with the cookie', async () => {
    const { server, page } = await start({ config: { cors: { all: ['*'] } } })
    await page.signIn('one')
    const send = (headers: Record<string, string>, method = 'GET', path = '/v1/models') =>
      fetch(server.url + path, {
        method,
        headers: { cookie: page.cookie, ...headers },
        ...(method === 'POST' && { body: JSON.stringify({ key: 'two' }) }),
      })
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: server.url.replace(/\d+$/, '1') },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'cross-site' },
    ]) {
      expect([headers, (await send(headers)).status]).toEqual([headers, 401])
      for (const method of ['POST', 'DELETE'])
        expect([headers, method, (await send(headers, method, '/v1/session')).status]).toEqual([
          headers,
          method,
          403,
        ])
    }
    expect((await send({}, 'DELETE', '/v1/session')).status).toBe(403)
    expect((await page.session()).user?.name).toBe('one')
  })

  it('takes no cookie but its own token', async () => {
    const { server, page } = await start()
    await page.signIn('one')
    const token = page.cookie.split('=')[1]!
    for (const value of [
      'key:one',
      `${token}x`,
      token.slice(1),
      token.toUpperCase(),
      '%00',
      'a'.repeat(8000),
      '__proto__',
    ]) {
      const cookie = `petals_chat_session=${value}`
      expect((await fetch(`${server.url}/v1/models`, { headers: { cookie } })).status).toBe(401)
    }
    const cookie = `a=b; petals_chat_session=${token}; c=d`
    expect((await fetch(`${server.url}/v1/models`, { headers: { cookie } })).status).toBe(200)
  })

  it('has at most 20 sessions of one key: the oldest end', async () => {
    const { server } = await start()
    const pages = Array.from({ length: 21 }, () => new PageClient(server.url))
    for (const page of pages) await page.signIn('one')
    expect((await pages[0]!.session()).user).toBeNull()
    expect((await pages[1]!.session()).user?.name).toBe('one')
    expect((await pages[20]!.session()).user?.name).toBe('one')
  })
})

describe('a key of the store', () => {
  it('signs in, and ends the sign-in when it is revoked', async () => {
    const keys = new KeyStore(openAccessDatabase(':memory:'))
    const { key, token } = keys.create({ name: 'lab' })
    const server = await startTestServer({ keys, config: { access: { keys: 'required' } }, stepDelayMs: 5 })
    open.push(server)
    const page = new PageClient(server.url)
    expect((await page.signIn(`${token.slice(0, -1)}x`)).status).toBe(401)
    expect((await page.signIn(token)).status).toBe(200)
    expect((await page.session()).user).toMatchObject({ id: `key:${key.id}`, name: 'lab', via: 'key' })
    expect(page.cookie).not.toContain(token)
    const answer = await page.chat(endless)
    keys.revoke(key.id)
    expect(await lastCode(answer)).toBe('access_revoked')
    expect((await page.session()).user).toBeNull()
  })
})

describe('a sign-in that is kept in a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sign-ins-'))
  const file = join(folder, 'access.sqlite')
  afterAll(() => rmSync(folder, { recursive: true }))

  /** A gateway that has opened the file by itself, as another process does. */
  async function gateway() {
    const database = openAccessDatabase(file)
    const keys = new KeyStore(database)
    const config = { access: { keys: 'required' as const } }
    const server = await startTestServer({ keys, signIns: new SignInStore(database), config, stepDelayMs: 5 })
    open.push(server, { [Symbol.asyncDispose]: async () => database.close() })
    return { server, keys }
  }
  /** The page with the cookie of another one. */
  const nameAt = async (url: string, { cookie }: PageClient) =>
    ((await readJson(await fetch(`${url}/v1/session`, { headers: { cookie } }))) as SessionBody).user?.name
  const streamAt = (url: string, { cookie }: PageClient) =>
    fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { cookie, origin: url, 'content-type': 'application/json' },
      body: JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }], ...endless }),
    })

  it('holds after a restart and at a second gateway, and ends at both with the sign-out and the key', async () => {
    const first = await gateway()
    const { key, token } = first.keys.create({ name: 'lab' })
    const page = new PageClient(first.server.url)
    await page.signIn(token)
    const secret = page.cookie.split('=')[1]!
    for (const path of [file, `${file}-wal`]) expect(readFileSync(path).includes(secret)).toBe(false)
    await first.server[Symbol.asyncDispose]()

    const [one, two] = [await gateway(), await gateway()]
    expect(await nameAt(one.server.url, page)).toBe('lab')
    expect(await nameAt(two.server.url, page)).toBe('lab')
    const streams = [await streamAt(one.server.url, page), await streamAt(two.server.url, page)]
    await fetch(`${one.server.url}/v1/session`, {
      method: 'DELETE',
      headers: { cookie: page.cookie, origin: one.server.url },
    })
    for (const stream of streams) expect(await lastCode(stream)).toBe('access_revoked')
    for (const { server } of [one, two]) expect(await nameAt(server.url, page)).toBeUndefined()

    const again = new PageClient(one.server.url)
    await again.signIn(token)
    const stream = await streamAt(two.server.url, again)
    one.keys.revoke(key.id)
    expect(await lastCode(stream)).toBe('access_revoked')
    expect(await nameAt(two.server.url, again)).toBeUndefined()
  })
})

describe('the cookie behind a proxy', () => {
  const cookieOf = async (config: object, origin: string) => {
    const { server } = await start({ config })
    const response = await server.app.request(`${origin}/v1/session`, {
      method: 'POST',
      headers: { host: new URL(origin).host, origin },
      body: JSON.stringify({ key: 'one' }),
    })
    return response.headers.getSetCookie()[0]!
  }
  const https = 'https://chat.example.org'

  it('is held to this host and to TLS', async () => {
    const cookie = await cookieOf({ trustedHosts: ['*'] }, https)
    expect(cookie).toMatch(
      /^__Host-petals_chat_session=[\w-]{43}; .*Path=\/; HttpOnly; Secure; SameSite=Strict$/,
    )
  })

  it('is held to the path of the page', async () => {
    expect(await cookieOf({ trustedHosts: ['*'], basePath: '/chat' }, https)).toMatch(
      /^__Secure-petals_chat_session=.*Path=\/chat; HttpOnly; Secure; SameSite=Strict$/,
    )
    expect(await cookieOf({ basePath: '/chat' }, 'http://localhost')).toMatch(
      /^petals_chat_session=.*Path=\/chat; HttpOnly; /,
    )
  })
})

describe('the end of a sign-in', () => {
  async function signedIn(options: Parameters<typeof start>[0] = {}) {
    const { server, callers, page } = await start({ stepDelayMs: 5, ...options })
    await page.signIn('one')
    return { server, callers, page }
  }

  it('by the reader ends what still streams to that browser, and nothing else', async () => {
    const { server, page } = await signedIn()
    const other = new PageClient(server.url)
    await other.signIn('one')
    const [mine, theirs] = await Promise.all([page.chat(endless), other.chat({ ...endless, max_tokens: 40 })])
    const response = await page.fetch('/v1/session', { method: 'DELETE' })
    expect(response.status).toBe(204)
    expect(await lastCode(mine!)).toBe('access_revoked')
    expect(await theirs!.text()).toContain('[DONE]')
    expect(page.cookie).toBe('')
    expect((await page.session()).user).toBeNull()
    expect((await other.session()).user?.name).toBe('one')
  })

  it('comes with the end of the key, within the answer', async () => {
    const { callers, page } = await signedIn()
    const answer = await page.chat(endless)
    callers.revoke('one')
    expect(await lastCode(answer)).toBe('access_revoked')
    expect((await page.session()).user).toBeNull()
    expect((await page.chat()).status).toBe(401)
  })

  it('comes after its hours, also for an answer that runs', async () => {
    const { page } = await signedIn({ config: { signIn: { hours: 0.5 / 3600 } } })
    const answer = await page.chat(endless)
    expect(await lastCode(answer)).toBe('access_revoked')
    expect((await page.session()).user).toBeNull()
  })

  it('closes the WebSockets of the browser', async () => {
    const { server, page } = await signedIn()
    const socket = await server.connect({ cookie: page.cookie, origin: server.url })
    expect((await socket.startSession(64)).ok).toBe(true)
    await page.fetch('/v1/session', { method: 'DELETE' })
    expect(await socket.next()).toMatchObject({ ok: false })
    expect(await socket.next()).toBeUndefined()
  })
})

describe('users of a trusted proxy', () => {
  const signIn = {
    proxy: { userHeader: 'X-Forwarded-User', nameHeader: 'X-Name', signOutUrl: '/oauth2/sign_out' },
  }
  const user = { 'x-forwarded-user': 'ada@example.org', 'x-name': 'Ada' }
  const page = async (config: object, headers: Record<string, string> = user) => {
    const { server } = await start({ callers: [], config: { signIn, ...config } })
    return new PageClient(server.url, headers)
  }

  it('are signed in, and sign out at the proxy', async () => {
    const ada = await page({ trustedProxies: ['loopback'] })
    expect(await ada.session()).toMatchObject({
      required: true,
      user: { id: 'proxy:ada@example.org', name: 'Ada', via: 'proxy', expires_at: null },
      ways: { key: false, openid: null, sign_out: '/oauth2/sign_out' },
    })
    expect((await ada.chat()).status).toBe(200)
    expect((await ada.fetch('/metrics')).status).toBe(403)
  })

  it('have limits of their own, each person for itself', async () => {
    const users = { limits: { requestsPerMinute: 1 } }
    const config = { signIn: { ...signIn, users }, trustedProxies: ['loopback'] }
    const { server } = await start({ callers: [], config })
    const of = (name: string) => new PageClient(server.url, { 'x-forwarded-user': name })
    expect((await of('ada').chat()).status).toBe(200)
    const refused = await of('ada').chat()
    expect(refused.status).toBe(429)
    expect((await readJson(refused)).error.message).toContain(
      'Your account may use at most 1 requests in a minute',
    )
    expect((await of('bob').chat()).status).toBe(200)
  })

  it('are not signed in where the proxy is not trusted, or names no user', async () => {
    expect((await (await page({ trustedProxies: ['10.0.0.0/8'] })).chat()).status).toBe(401)
    expect((await (await page({})).chat()).status).toBe(401)
    expect((await (await page({ trustedProxies: ['loopback'] }, {})).chat()).status).toBe(401)
  })

  it('are who they are with a token of the proxy, which is no key of this server', async () => {
    const keys = new KeyStore(openAccessDatabase(':memory:'))
    const { token } = keys.create({ name: 'lab' })
    const at = async (trustedProxy: string) => {
      const config = { signIn, access: { keys: 'required' as const }, trustedProxies: [trustedProxy] }
      const { server } = await start({ callers: [], keys, config, specs: [{ publicApi: false }] })
      return async (headers: Record<string, string>) => {
        const page = new PageClient(server.url, headers)
        return [(await page.chat()).status, (await page.session()).user?.name]
      }
    }
    const ask = await at('loopback')
    const foreign = { authorization: 'Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln' }
    expect(await ask({ ...user, ...foreign })).toEqual([200, 'Ada'])
    expect(await ask({ ...user, authorization: 'Basic YWRhOng=' })).toEqual([200, 'Ada'])
    expect(await ask({ ...user, ...foreign, 'x-api-key': 'sk-none' })).toEqual([401, undefined])
    expect(await ask({ ...user, authorization: `Bearer ${token.slice(0, -1)}x` })).toEqual([401, undefined])
    // A key is a program's, whatever else the request has.
    for (const key of [{ authorization: `Bearer ${token}` }, { ...foreign, 'x-api-key': token }])
      expect(await ask({ ...user, ...key })).toEqual([403, 'lab'])
    expect(await ask(foreign)).toEqual([401, undefined])
    expect(await (await at('10.0.0.0/8'))({ ...user, ...foreign })).toEqual([401, undefined])
  })

  it('are refused where the header names two', async () => {
    const both = await page({ trustedProxies: ['loopback'] }, { 'x-forwarded-user': 'eve, ada@example.org' })
    expect(await codeOf(await both.chat())).toBe('invalid_api_key')
  })
})
