import { operations, scopes } from '@petals-chat/api'
import { KeyStore } from '@petals-chat/access'
import { openAccessDatabase } from '@petals-chat/access/database'
import { describe, expect, it } from 'vitest'
import { PageClient } from '../fixtures/page-client.ts'
import { createTestGateway, readJson } from '../fixtures/test-gateway.ts'
import { startTestServer } from '../fixtures/test-server.ts'

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
    const ask = async (host: string, headers: Record<string, string>) => {
      const response = await test.app.request(path, { method, headers: { ...headers, host } })
      return { status: response.status, text: await response.text() }
    }
    for (const host of trustedHosts) {
      expect((await ask(host, {})).status).toBe(401)
      expect((await ask(host, { cookie: `petals-chat-session=${right}` })).status).toBe(401)
      for (const send of Object.values(headerKinds)) {
        for (const token of [revoked.token, rotated.token, `${right}x`, 'sk-none'])
          expect((await ask(host, send(token))).status).toBe(401)
        expect(await ask(host, send(others))).toMatchObject({
          status: 403,
          text: expect.stringContaining(`'${scope}' is missing`) as string,
        })
        const answer = await ask(host, send(right))
        expect(answer.status).not.toBe(401)
        expect(answer.text).not.toContain('is missing')
      }
    }
    for (const host of foreignHosts)
      for (const send of Object.values(headerKinds)) expect((await ask(host, send(right))).status).toBe(403)
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
