import { once } from 'node:events'
import { connect } from 'node:net'
import { operations, scopes } from '@petals-chat/api'
import { KeyStore } from '@petals-chat/access'
import { openAccessDatabase } from '@petals-chat/access/database'
import { describe, expect, it } from 'vitest'
import { PageClient } from '../fixtures/page-client.ts'
import { createTestGateway, readJson, type TestGateway } from '../fixtures/test-gateway.ts'
import { startTestServer, type TestServer } from '../fixtures/test-server.ts'

const keys = new KeyStore(openAccessDatabase(':memory:'))
const make = (name: string, wanted: object = {}) => keys.create({ name, ...wanted })
const revoked = make('revoked', { scopes })
keys.revoke(revoked.key.id)
const rotated = make('rotated', { scopes })
keys.rotate(rotated.key.id)

/** How a key may be sent, and the token that is sent so. */
const headerKinds = {
  bearer: (token: string) => ({ authorization: `Bearer ${token}` }),
  'x-api-key': (token: string) => ({ 'x-api-key': token }),
  'api-key': (token: string) => ({ 'api-key': token }),
} as const

const cookieOf = (token: string) => ({ cookie: `petals_chat_session=${token}` })

/** Signs in on the page; returns the header of its cookie. */
async function signIn({ app }: Pick<TestGateway, 'app'>, key: string) {
  const headers = { host: 'localhost', origin: 'http://localhost' }
  const response = await app.request('/v1/session', {
    method: 'POST',
    headers,
    body: JSON.stringify({ key }),
  })
  return { cookie: response.headers.getSetCookie()[0]!.split(';')[0]! }
}

let madeKeys = 0

/** The cookies of people who signed in with these keys, and of those whose sign-in has ended, each in its own way. */
async function cookiesOf(test: Pick<TestGateway, 'app'>, right: string, others: string) {
  const ends = {
    revoked: (id: string) => keys.revoke(id),
    rotated: (id: string) => keys.rotate(id),
    signedOut: (_id: string, cookie: object) =>
      test.app.request('/v1/session', {
        method: 'DELETE',
        headers: { host: 'localhost', origin: 'http://localhost', ...cookie },
      }),
  }
  const ended: { cookie: string }[] = []
  for (const [name, end] of Object.entries(ends)) {
    const { key, token } = make(`${name} ${++madeKeys}`, { scopes })
    const cookie = await signIn(test, token)
    await end(key.id, cookie)
    ended.push(cookie)
  }
  return { right: await signIn(test, right), others: await signIn(test, others), ended }
}

const trustedHosts = ['localhost', '127.0.0.1:5000', '[::1]', 'chat.example.org', 'CHAT.EXAMPLE.ORG.']
const foreignHosts = ['rebound.example.net', 'localhost.example.net', 'chat.example.org.evil.test', '']

const closed = operations.filter(({ scope }) => scope !== 'open')

const gateway = () =>
  createTestGateway({
    keys,
    config: {
      access: { keys: 'required', wrongKeysPerMinute: 1_000_000 },
      trustedHosts: ['chat.example.org'],
    },
  })

describe('every route that is not open, by every header and under every name of the server', () => {
  it.each(closed.map((operation) => [operation.id, operation] as const))('%s', async (id, operation) => {
    await using test = gateway()
    const method = operation.method.toUpperCase()
    const path = operation.path.replace(/\{\w+\}/g, 'x')
    const { scope } = operation
    const others = make(`all but ${scope} for ${id}`, {
      scopes: scopes.filter((name) => name !== scope),
    }).token
    const right = make(`only ${scope} for ${id}`, { scopes: [scope] }).token
    const cookies = await cookiesOf(test, right, others)
    const ask = async (host: string, headers: Record<string, string>) => {
      const response = await test.app.request(path, { method, headers: { ...headers, host } })
      return { status: response.status, text: await response.text() }
    }
    for (const host of trustedHosts) {
      expect((await ask(host, {})).status).toBe(401)
      expect((await ask(host, cookieOf(right))).status).toBe(401)
      for (const cookie of cookies.ended) expect((await ask(host, cookie)).status).toBe(401)
      for (const send of [cookies.others, ...Object.values(headerKinds).map((kind) => kind(others))])
        expect(await ask(host, send)).toMatchObject({
          status: 403,
          text: expect.stringContaining(`'${scope}' is missing`) as string,
        })
      for (const send of [cookies.right, ...Object.values(headerKinds).map((kind) => kind(right))]) {
        const answer = await ask(host, send)
        expect(answer.status).not.toBe(401)
        expect(answer.text).not.toContain('is missing')
      }
      for (const page of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'same-site' }])
        expect([401, 403]).toContain((await ask(host, { ...cookies.right, ...page })).status)
      for (const send of Object.values(headerKinds)) {
        for (const token of [revoked.token, rotated.token, `${right}x`, 'sk-none'])
          expect((await ask(host, send(token))).status).toBe(401)
      }
    }
    for (const host of foreignHosts)
      for (const send of [cookies.right, ...Object.values(headerKinds).map((kind) => kind(right))])
        expect((await ask(host, send)).status).toBe(403)
  })
})

describe('the upgrade to a WebSocket, by every credential and under every name of the server', () => {
  /** The status of the answer; 101 is the upgrade. */
  async function upgrade(
    { port }: TestServer,
    host: string,
    headers: Record<string, string>,
  ): Promise<number> {
    const socket = connect(port, '127.0.0.1')
    const lines = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.write(
      'GET /api/v2/generate HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n' +
        `sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n${lines.join('')}\r\n`,
    )
    const [answer] = (await once(socket, 'data')) as [Buffer]
    socket.destroy()
    return Number(/^HTTP\/1\.1 (\d+)/.exec(answer.toString('latin1'))?.[1])
  }

  const upgradeKinds = {
    ...headerKinds,
    subprotocol: (token: string) => ({
      'sec-websocket-protocol': `petals-chat, petals-chat.key.${token}`,
    }),
  }

  it('opens for a key and a sign-in that have the scope, and for a client that has shown nothing yet', async () => {
    await using server = await startTestServer({
      keys,
      config: {
        access: { keys: 'required', wrongKeysPerMinute: 1_000_000 },
        trustedHosts: ['chat.example.org'],
      },
    })
    const right = make('only legacy by upgrade', { scopes: ['legacy'] }).token
    const others = make('all but legacy by upgrade', {
      scopes: scopes.filter((name) => name !== 'legacy'),
    }).token
    const cookies = await cookiesOf(server, right, others)
    const kinds = Object.values(upgradeKinds)
    const wrong = [revoked.token, rotated.token, `${right}x`, 'sk-none']
    const expected: readonly (readonly [number, readonly Record<string, string>[]])[] = [
      [
        401,
        [
          cookieOf(right),
          ...cookies.ended,
          { ...cookies.right, 'sec-fetch-site': 'none', ...upgradeKinds.bearer('sk-none') },
        ],
      ],
      [401, kinds.flatMap((send) => wrong.map((token) => send(token)))],
      [403, [cookies.others, ...kinds.map((send) => send(others))]],
      [403, [{ origin: 'https://evil.example' }, { ...cookies.right, origin: 'https://evil.example' }]],
      // Without any credential, the key may come in the first message (keyless-sockets.test.ts).
      [101, [{}, cookies.right, ...kinds.map((send) => send(right))]],
    ]
    for (const host of trustedHosts)
      for (const [status, all] of expected)
        for (const headers of all)
          expect([host, headers, await upgrade(server, host, headers)]).toEqual([host, headers, status])
    for (const host of foreignHosts)
      for (const headers of [{}, cookies.right, ...kinds.map((send) => send(right))])
        expect(await upgrade(server, host, headers)).toBe(403)
  })
})

describe('a page of another site', () => {
  const get = async (headers: Record<string, string>) => {
    await using test = createTestGateway()
    return await test.app.request('/api/v1/generate?inputs=Hi&max_new_tokens=1', {
      headers: { host: '192.0.2.1:5000', ...headers },
    })
  }

  it('is known by its Referer where the browser sends nothing else, on plain http', async () => {
    const refused = await get({ referer: 'http://evil.example/page' })
    expect(refused.status).toBe(403)
    expect((await readJson(refused)).traceback).toContain('http://evil.example')
    for (const headers of [{}, { referer: 'http://192.0.2.1:5000/' }, { referer: 'android-app://x' }])
      expect((await get(headers)).status).toBe(200)
  })
})

describe('a model that only the page may use', () => {
  it('is closed to a program with a key, whatever Origin and cookie it sends, and open to who signed in', async () => {
    await using server = await startTestServer({
      keys,
      config: { access: { keys: 'required' }, cors: { all: ['*'] } },
      specs: [{ publicApi: false }],
    })
    const page = new PageClient(server.url)
    const { token } = make('reader and program')
    await page.signIn(token)
    const { cookie } = page
    const origin = server.url
    const ask = async (headers: Record<string, string>) => {
      const body = JSON.stringify({ prompt: 'Hi', max_tokens: 1 })
      const response = await fetch(`${server.url}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body,
      })
      return [response.status, (await readJson(response)).error?.code]
    }
    expect(await ask({ cookie, origin })).toEqual([200, undefined])
    expect(await ask({ cookie, origin, authorization: 'Basic YWRhOng=' })).toEqual([200, undefined])
    for (const send of Object.values(headerKinds))
      for (const more of [{}, { origin }, { origin, cookie }])
        expect(await ask({ ...send(token), ...more })).toEqual([403, 'model_restricted'])
    expect(await ask({ cookie })).toEqual([403, 'model_restricted'])
    for (const foreign of [
      { origin: 'https://other.example' },
      { origin: origin.replace(/\d+$/, '1') },
      { origin: 'null' },
      { origin, 'sec-fetch-site': 'same-site' },
      { referer: 'http://other.example/' },
    ])
      expect([foreign, await ask({ cookie, ...foreign })]).toEqual([
        foreign,
        [401, 'authentication_required'],
      ])
  })
})
