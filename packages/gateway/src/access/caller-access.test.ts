import { operations, scopes } from '@petals-chat/api'
import { describe, expect, it } from 'vitest'
import { asCaller, TestCallers } from '../fixtures/test-callers.ts'
import { eventually, readJson } from '../fixtures/test-gateway.ts'
import { startTestServer, type TestServer } from '../fixtures/test-server.ts'
import { routeScope } from './route-scope.ts'

const chat = { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 4 }
const json = { 'content-type': 'application/json' }

const post = (server: TestServer, caller: string, body: object, path = '/v1/chat/completions') =>
  fetch(server.url + path, {
    method: 'POST',
    headers: { ...json, ...asCaller(caller) },
    body: JSON.stringify(body),
  })

/** Reads a stream to its end. */
async function errorOf(response: Response): Promise<string | undefined> {
  const frames = (await response.text()).split('\n\n').filter((frame) => frame.includes('data: {"error"'))
  return frames.map((frame) => /"code":"(\w+)"/.exec(frame)?.[1])[0]
}

describe('the scope of a route', () => {
  it('is known for every route that the gateway serves, and unknown routes are for administrators', async () => {
    await using server = await startTestServer()
    const { routes } = await server.gateway.prepare()
    const patterns = new Set(routes.map(({ path }) => path))
    expect(patterns.size).toBeGreaterThan(20)
    const forAdmins = [...patterns].filter((pattern) => routeScope([pattern]) === 'admin')
    expect(forAdmins.sort()).toEqual(['/v1/keys', '/v1/keys/:key', '/v1/keys/:key/rotate'])
    expect(routeScope(['/*', '/v1/new'])).toBe('admin')
    expect(routeScope(['/*', '/v1/models/:id{.+}'])).toBe('models')
    expect(routeScope(['/', '/*'])).toBe('open')
  })

  it.each(
    operations.filter(({ scope }) => scope !== 'open').map((operation) => [operation.id, operation] as const),
  )('of %s is asked for', async (_id, { method, path, scope }) => {
    const others = scopes.filter((candidate) => candidate !== scope)
    const callers = new TestCallers()
      .add('others', { scopes: others })
      .add('right', { scopes: [scope as never] })
    await using server = await startTestServer({ callers: [callers] })
    const url = server.url + path.replace(/\{\w+\}/g, 'x')
    const send = async (headers: Record<string, string>) => {
      const response = await fetch(url, { method: method.toUpperCase(), headers })
      return { status: response.status, headers: response.headers, text: await response.text() }
    }
    const none = await send({})
    expect(none.status).toBe(401)
    expect(none.headers.get('www-authenticate')).toContain('Bearer')
    expect((await send(asCaller('wrong'))).status).toBe(401)
    expect(await send(asCaller('others'))).toMatchObject({
      status: 403,
      text: expect.stringContaining(`'${scope}' is missing`) as string,
    })
    const right = await send(asCaller('right'))
    expect(right.status).not.toBe(401)
    expect(right.text).not.toContain('is missing')
  })

  it('is asked for however the path is written, and by every method', async () => {
    await using server = await startTestServer({ callers: [new TestCallers()] })
    for (const path of [
      '/v1/models',
      '//v1//models/',
      '/v1/%6dodels',
      '/%761/models',
      '/v1/models%2f',
      '/V1/models',
      '/v1/models;x',
      '/./v1/models',
      '/metrics',
      '/metrics/',
      '//metrics',
      '/%6detrics',
    ])
      for (const method of ['GET', 'HEAD', 'POST']) {
        const answer = await server.send(
          `${method} ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`,
        )
        expect([path, method, answer]).not.toEqual([path, method, expect.stringMatching(/^HTTP\/1.1 2/)])
      }
  })

  it('leaves health checks, the documentation and the page open', async () => {
    await using server = await startTestServer({ callers: [new TestCallers()] })
    for (const path of ['/healthz', '/docs', '/docs/style.css', '/openapi.json'])
      for (const headers of [{}, asCaller('wrong')])
        expect((await fetch(server.url + path, { headers })).status).toBe(200)
  })
})

describe('a caller', () => {
  it('without keys is any client, whatever the client sends', async () => {
    await using server = await startTestServer()
    for (const headers of [{}, asCaller('sk-none'), { 'x-api-key': 'x' }])
      expect((await fetch(`${server.url}/v1/models`, { headers })).status).toBe(200)
  })

  it('sees and uses only its models', async () => {
    const callers = new TestCallers().add('one', { models: ['b'] })
    await using server = await startTestServer({ callers: [callers], specs: [{ id: 'a' }, { id: 'b' }] })
    const get = (path: string) => fetch(server.url + path, { headers: asCaller('one') })
    const { data } = await readJson(await get('/v1/models'))
    expect(data.map(({ id }: { id: string }) => id)).toEqual(['b'])
    expect((await get('/v1/models/a')).status).toBe(404)
    const legacy = await readJson(await get('/api/v1/models'))
    expect(JSON.stringify(legacy)).not.toContain('"a"')
    const refused = await readJson(await post(server, 'one', { ...chat, model: 'a' }))
    // With one visible model, every name is a placeholder for it.
    expect(refused.model).toBe('b')
    expect((await readJson(await post(server, 'one', chat))).model).toBe('b')
  })

  it('is not told what another caller has sent: KV caches belong to one of them', async () => {
    const callers = new TestCallers().add('one').add('two')
    await using server = await startTestServer({ callers: [callers] })
    const cached = async (caller: string) => {
      const { usage } = await readJson(await post(server, caller, { ...chat, max_tokens: 1 }))
      return usage.prompt_tokens_details.cached_tokens
    }
    expect(await cached('one')).toBe(0)
    expect(await cached('two')).toBe(0)
    expect(await cached('one')).toBeGreaterThan(0)
  })

  it('alone finds the answers that it has made', async () => {
    const callers = new TestCallers().add('one').add('two')
    await using server = await startTestServer({ callers: [callers], stepDelayMs: 5 })
    const answer = await post(server, 'one', { ...chat, max_tokens: 500, stream: true, resumable: true })
    const id = answer.headers.get('x-answer-id')!
    const call = (caller: string, method: string, path: string) =>
      fetch(`${server.url}/v1/answers/${id}${path}`, { method, headers: asCaller(caller) })
    for (const [method, path] of [
      ['GET', '/stream'],
      ['POST', '/cancel'],
      ['DELETE', ''],
    ] as const)
      expect((await call('two', method, path)).status).toBe(404)
    expect((await call('one', 'POST', '/cancel')).status).toBe(200)
    await answer.body?.cancel()
  })
})

describe('a caller whose access ends', () => {
  const endless = { ...chat, max_tokens: 2_000, stream: true }

  it.each([false, true])('gets the end of its streams, which are resumable: %s', async (resumable) => {
    const callers = new TestCallers().add('one').add('two')
    await using server = await startTestServer({ callers: [callers], stepDelayMs: 5 })
    const answer = await post(server, 'one', { ...endless, resumable })
    const other = await post(server, 'two', { ...chat, max_tokens: 20, stream: true })
    callers.revoke('one')
    expect(await errorOf(answer)).toBe('access_revoked')
    expect(await errorOf(other)).toBeUndefined()
    expect((await post(server, 'one', chat)).status).toBe(401)
    if (!resumable) return
    callers.add('one')
    const again = await fetch(`${server.url}/v1/answers/${answer.headers.get('x-answer-id')}/stream`, {
      headers: asCaller('one'),
    })
    expect(again.status).toBe(404)
  })

  it('gets 401 for the answer that it waits for', async () => {
    const callers = new TestCallers().add('one')
    let steps = 0
    await using server = await startTestServer({
      callers: [callers],
      stepDelayMs: 5,
      beforeStep: () => void steps++,
    })
    const answer = post(server, 'one', { ...chat, max_tokens: 2_000 })
    await eventually(() => steps > 0)
    callers.revoke('one')
    const response = await answer
    expect(response.status).toBe(401)
    expect((await readJson(response)).error.code).toBe('access_revoked')
  })

  it('loses its WebSockets, idle ones and those that are being answered', async () => {
    const callers = new TestCallers().add('one').add('two')
    await using server = await startTestServer({ callers: [callers], stepDelayMs: 5 })
    const [idle, busy, other] = await Promise.all(
      ['one', 'one', 'two'].map((name) => server.connect(asCaller(name))),
    )
    for (const client of [idle!, busy!, other!]) expect((await client.startSession(64)).ok).toBe(true)
    busy!.send({ type: 'generate', inputs: 'Hi', max_new_tokens: 60 })
    callers.revoke('one')
    for (const client of [idle!, busy!]) {
      let last, next
      while ((next = await client.next()) !== undefined) last = next
      expect(last).toMatchObject({ ok: false, traceback: expect.stringContaining('revoked') as string })
    }
    expect(await other!.generate({ inputs: 'Hi', max_new_tokens: 2 })).toMatchObject([{ ok: true }])
  })

  it('can not open a WebSocket with what counts no more, nor resume the session of another caller', async () => {
    const callers = new TestCallers().add('one').add('two')
    await using server = await startTestServer({ callers: [callers] })
    const upgrade = (headers: string) =>
      server.send(
        'GET /api/v2/generate HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n' +
          `sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n${headers}\r\n`,
      )
    expect(await upgrade('cookie: petals_chat_session=x\r\n')).toContain('HTTP/1.1 401')
    expect(await upgrade('authorization: Bearer wrong\r\n')).toContain('HTTP/1.1 401')
    const { id } = await (await server.connect(asCaller('one'))).startSession(64, { resumable: true })
    const thief = await server.connect(asCaller('two'))
    thief.send({ type: 'resume', id, received: 0 })
    expect(await thief.next()).toMatchObject({
      ok: false,
      traceback: expect.stringContaining('expired') as string,
    })
  })
})
