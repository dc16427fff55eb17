import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KeyStore, type NewKey } from '@petals-chat/access'
import { openAccessDatabase } from '@petals-chat/access/database'
import { afterAll, describe, expect, it } from 'vitest'
import { asCaller } from '../fixtures/test-callers.ts'
import {
  type LogRecord,
  readJson,
  recordingLogger,
  type TestGatewayOptions,
} from '../fixtures/test-gateway.ts'
import { startTestServer } from '../fixtures/test-server.ts'
import { V2Client } from '../fixtures/v2-client.ts'
import { KeyCallers } from './key-callers.ts'

const folder = mkdtempSync(join(tmpdir(), 'keys-'))
afterAll(() => rmSync(folder, { recursive: true }))
let files = 0

/** A server that asks for keys, and the store of another process on the same file. */
async function startWithKeys(options: TestGatewayOptions = {}) {
  const path = join(folder, `${files++}.sqlite`)
  const operator = new KeyStore(openAccessDatabase(path))
  const keys = new KeyStore(openAccessDatabase(path))
  const access = { keys: 'required' as const, wrongKeysPerMinute: 20 }
  const config = { access, ...options.config }
  const server = await startTestServer({ ...options, keys, config })
  const make = (wanted: Partial<NewKey> = {}) => operator.create({ name: `key ${files++}`, ...wanted })
  return { server, path, operator, make, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}

const endless = {
  messages: [{ role: 'user', content: 'Hi' }],
  max_tokens: 2_000,
  stream: true,
}

describe('wrong keys', () => {
  it('get 429 when there are too many, by request and by sign-in, while right ones count', async () => {
    await using test = await startWithKeys()
    const { token } = test.make()
    const get = (key: string, path = '/v1/models') =>
      fetch(test.server.url + path, { headers: { 'x-api-key': key } })
    for (let i = 0; i < 20; i++) expect((await get('sk-wrong')).status).toBe(401)
    const refused = await get('sk-wrong')
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    const signIn = await fetch(`${test.server.url}/v1/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: test.server.url },
      body: JSON.stringify({ key: 'sk-wrong' }),
    })
    expect(signIn.status).toBe(429)
    expect((await get(token)).status).toBe(200)
    expect((await get('sk-wrong', '/health')).status).toBe(200)
  })
})

describe('a key', () => {
  it('counts in every header that clients use for it, and means the same in each', async () => {
    await using test = await startWithKeys()
    const { token } = test.make({ scopes: ['models'] })
    const status = async (headers: Record<string, string>, path = '/v1/models') =>
      (await fetch(test.server.url + path, { headers })).status
    const forms = (key: string): Record<string, string>[] => [
      { authorization: `Bearer ${key}` },
      { authorization: `bearer  ${key} ` },
      { 'x-api-key': key },
      { 'api-key': key },
      { authorization: 'Basic eDp5', 'x-api-key': key },
      { authorization: `Bearer ${key}`, 'api-key': key },
    ]
    for (const headers of forms(token)) {
      expect(await status(headers)).toBe(200)
      expect(await status(headers, '/api/v1/swarm')).toBe(403)
    }
    for (const headers of forms('sk-none')) expect(await status(headers)).toBe(401)
    for (const headers of [
      {},
      { authorization: token },
      { authorization: `Basic ${token}` },
      { cookie: `key=${token}` },
    ])
      expect(await status(headers)).toBe(401)
    expect(await status({}, `/v1/models?api_key=${token}&key=${token}`)).toBe(401)
  })

  it('counts alone: two different ones are refused, in either order', async () => {
    await using test = await startWithKeys()
    const [one, two] = [test.make().token, test.make().token]
    for (const [bearer, other] of [
      [one, two],
      [one, 'x'],
      ['x', one],
    ]) {
      const headers = { authorization: `Bearer ${bearer}`, 'x-api-key': other! }
      const response = await fetch(`${test.server.url}/v1/models`, { headers })
      expect(response.status).toBe(401)
      expect((await readJson(response)).error.message).toContain('two different')
    }
  })

  it('opens a WebSocket by a header, or by a subprotocol, which is not sent back', async () => {
    await using test = await startWithKeys()
    const { token } = test.make()
    const open = (headers: Record<string, string>, protocols: string[] = []) =>
      new V2Client(test.server.url, headers, protocols).open()
    using byHeader = await open(asCaller(token))
    using byProtocol = await open({}, ['petals-chat', `petals-chat.key.${token}`])
    using reversed = await open({}, [`petals-chat.key.${token}`, 'petals-chat'])
    for (const client of [byHeader, byProtocol, reversed])
      expect(await client.startSession(64)).toMatchObject({ ok: true })
    expect(byProtocol.socket.protocol).toBe('petals-chat')
    expect(reversed.socket.protocol).toBe('petals-chat')
    await expect(open({}, ['petals-chat', 'petals-chat.key.x'])).rejects.toThrow('401')
  })

  it('made while the server runs counts at once', async () => {
    await using test = await startWithKeys()
    const get = (token: string) => fetch(`${test.server.url}/v1/models`, { headers: asCaller(token) })
    expect((await get('x')).status).toBe(401)
    expect((await get(test.make().token)).status).toBe(200)
  })

  it.each(['revoked', 'rotated', 'expired'] as const)(
    'that another process has %s ends its streams and sockets, and no others',
    async (how) => {
      await using test = await startWithKeys({ stepDelayMs: 5 })
      const soon = how === 'expired' ? { expiresAt: Date.now() + 400 } : {}
      const [{ key, token }, other] = [test.make(soon), test.make()]
      const ask = (bearer: string, body: object) =>
        fetch(`${test.server.url}/v1/chat/completions`, {
          method: 'POST',
          headers: { ...asCaller(bearer), 'content-type': 'application/json' },
          body: JSON.stringify(body),
        })
      const socket = await test.server.connect(asCaller(token))
      await socket.startSession(64)
      const stream = await ask(token, endless)
      const unharmed = await test.server.connect(asCaller(other.token))
      await unharmed.startSession(64)
      if (how === 'revoked') test.operator.revoke(key.id)
      const renewed = how === 'rotated' ? test.operator.rotate(key.id).token : undefined
      expect(await stream.text()).toContain('access_revoked')
      expect(await socket.next()).toMatchObject({ ok: false })
      expect(await socket.next()).toBeUndefined()
      const refused = await ask(token, endless)
      expect(refused.status).toBe(401)
      expect((await readJson(refused)).error.message).toContain(
        how === 'expired' ? 'has expired' : 'was revoked',
      )
      if (renewed !== undefined) expect((await ask(renewed, { ...endless, max_tokens: 1 })).status).toBe(200)
      expect(await unharmed.generate({ inputs: 'Hi', max_new_tokens: 1 })).toMatchObject([{ ok: true }])
    },
  )
})

describe('a file of keys that is gone', () => {
  it('lets no key in, in words for a client that may try again, until it is back', async () => {
    await using test = await startWithKeys()
    const { token } = test.make()
    const get = async (path: string, headers = asCaller(token)) => {
      const response = await fetch(test.server.url + path, { headers })
      return [response.status, (await readJson(response)).error, response.headers.get('retry-after')]
    }
    renameSync(test.path, `${test.path}-away`)
    await expect.poll(async () => (await get('/v1/models'))[0]).toBe(503)
    const [, error, retryAfter] = await get('/v1/models')
    expect([error.code, retryAfter]).toEqual(['keys_unavailable', '5'])
    expect(error.message).not.toContain(folder)
    expect((await get('/v1/usage'))[0]).toBe(503)
    expect((await get('/health'))[0]).toBe(200)
    expect((await get('/v1/models', {}))[0]).toBe(401)
    renameSync(`${test.path}-away`, test.path)
    await expect.poll(async () => (await get('/v1/models'))[0]).toBe(200)
  })

  it('ends what its callers still run, after a while', async () => {
    const path = join(folder, 'away.sqlite')
    const keys = new KeyStore(openAccessDatabase(path))
    const log: LogRecord[] = []
    const { token } = keys.create({ name: 'one' })
    const options = { keys, wrongKeysPerMinute: 1, logger: recordingLogger(log), unreadableMs: 300 }
    using callers = new KeyCallers(options)
    const { signal } = callers.callerOfToken(token)
    renameSync(path, `${path}-away`)
    await expect.poll(() => signal.aborted).toBe(true)
    expect(signal.reason).toMatchObject({ code: 'keys_unavailable' })
    renameSync(`${path}-away`, path)
    await expect.poll(() => log.map(({ level }) => level)).toEqual(['error', 'info'])
    expect(callers.callerOfToken(token).signal.aborted).toBe(false)
  })
})

describe('a server', () => {
  const statusOf = async (config: object, keys: KeyStore) => {
    await using server = await startTestServer({ keys, config })
    return (await fetch(`http://127.0.0.1:${server.port}/v1/models`)).status
  }
  const emptyStore = () => new KeyStore(openAccessDatabase(':memory:'))

  it('asks for keys on a public address, and on loopback once there is one, also a revoked one', async () => {
    const keys = emptyStore()
    expect(await statusOf({}, keys)).toBe(200)
    expect(await statusOf({ host: '0.0.0.0' }, keys)).toBe(401)
    expect(await statusOf({ host: '0.0.0.0', insecurePublic: true }, keys)).toBe(200)
    keys.revoke(keys.create({ name: 'only' }).key.id)
    expect(await statusOf({}, keys)).toBe(401)
    expect(await statusOf({ access: { keys: 'off' } }, keys)).toBe(200)
    expect(await statusOf({ access: { keys: 'required' } }, emptyStore())).toBe(401)
  })

  it('that began without keys does not change while it runs', async () => {
    const keys = emptyStore()
    await using server = await startTestServer({ keys })
    const { token } = keys.create({ name: 'late', scopes: ['admin'] })
    for (const headers of [{}, asCaller(token)]) {
      expect((await fetch(`${server.url}/v1/models`, { headers })).status).toBe(200)
      expect((await fetch(`${server.url}/v1/keys`, { headers })).status).toBe(403)
    }
  })
})

describe('/v1/keys', () => {
  it('lets a key make, rotate and revoke keys that have no more than it has', async () => {
    await using test = await startWithKeys()
    const admin = test.make({ scopes: ['admin', 'openai', 'models'], models: ['test'] })
    const foreign = test.make()
    const call = async (method: string, path = '', body?: object, token = admin.token) => {
      const response = await fetch(`${test.server.url}/v1/keys${path}`, {
        method,
        headers: { ...asCaller(token), 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
      })
      return { status: response.status, body: await readJson(response) }
    }
    expect(await call('POST', '', { name: 'wide', scopes: ['metrics'] })).toMatchObject({
      status: 403,
      body: { error: { code: 'scope_required' } },
    })
    expect((await call('POST', '', { name: 'wide', scopes: ['models'], models: ['other'] })).status).toBe(403)
    expect((await call('POST', '', { name: 'x', scopes: ['root'] })).status).toBe(400)
    expect((await call('POST', '', { name: 'x', scopes: ['models'], made_by: null })).status).toBe(400)
    const made = await call('POST', '', { name: 'child', scopes: ['models'] })
    expect(made).toMatchObject({
      status: 200,
      body: { models: ['test'], made_by: admin.key.id, expires_at: null },
    })
    const listed = await call('GET')
    expect(listed.body.data.map(({ name }: { name: string }) => name)).toEqual(['child'])
    expect(JSON.stringify(listed.body)).not.toContain('sk-petals')
    for (const id of [foreign.key.id, admin.key.id, 'none']) {
      expect((await call('DELETE', `/${id}`)).body.error.code).toBe('unknown_key')
      expect((await call('POST', `/${id}/rotate`, {})).body.error.code).toBe('unknown_key')
    }
    const renewed = await call('POST', `/${made.body.id}/rotate`, {})
    const models = (token: string) => fetch(`${test.server.url}/v1/models`, { headers: asCaller(token) })
    expect((await models(made.body.key)).status).toBe(401)
    expect((await models(renewed.body.key)).status).toBe(200)
    expect((await call('GET', '', undefined, renewed.body.key)).status).toBe(403)
    expect((await call('DELETE', `/${made.body.id}`)).body.revoked_at).toBeGreaterThan(0)
    expect((await models(renewed.body.key)).status).toBe(401)
  })

  it('lets the keys of a family be made and rotated so often, and revoked at any time', async () => {
    await using test = await startWithKeys()
    const [admin, other] = ['a', 'b'].map((name) => test.make({ name, scopes: ['admin', 'openai'] }))
    const call = async (token: string, method: string, path = '', body?: object) => {
      const init = { method, headers: asCaller(token), ...(body && { body: JSON.stringify(body) }) }
      const response = await fetch(`${test.server.url}/v1/keys${path}`, init)
      return {
        status: response.status,
        wait: Number(response.headers.get('retry-after')),
        body: await readJson(response),
      }
    }
    const child = (await call(admin!.token, 'POST', '', { name: 'child', scopes: ['admin'] })).body
    for (let i = 0; i < 59; i++)
      expect((await call(admin!.token, 'POST', `/${child.id}/rotate`, {})).status).toBe(200)
    for (const token of [admin!.token, test.operator.rotate(child.id).token]) {
      const { status, wait, body } = await call(token, 'POST', '', { name: 'more', scopes: ['admin'] })
      expect([status, body.error.code]).toEqual([429, 'rate_limit_exceeded'])
      expect(wait).toBeGreaterThan(0)
    }
    expect((await call(other!.token, 'POST', '', { name: 'more', scopes: ['openai'] })).status).toBe(200)
    expect((await call(admin!.token, 'GET')).status).toBe(200)
    expect((await call(admin!.token, 'DELETE', `/${child.id}`)).status).toBe(200)
  })
})
