import { type IncomingMessage, request as httpRequest } from 'node:http'
import { once } from 'node:events'
import { json } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { createTestGateway, readJson } from './fixtures/test-gateway.ts'
import { V2Client } from './fixtures/v2-client.ts'
import { routedPath } from './request-path.ts'

describe('routedPath', () => {
  it.each([
    ['/v1/models/', '/v1/models'],
    ['//v1/models', '/v1/models'],
    ['/v1//chat///completions//', '/v1/chat/completions'],
    ['//api//v1/generate/', '/api/v1/generate'],
    ['/v1/models/a%2Fb', '/v1/models/a%2Fb'],
    ['/v1/', '/v1'],
    ['/v11//x/', '/v11//x/'],
    ['/health/', '/health'],
    ['//metrics//', '/metrics'],
    ['/healthy/', '/healthy/'],
    ['/assets//x.js', '/assets//x.js'],
    ['/', '/'],
  ])('takes %s for %s', (path, routed) => expect(routedPath(path, '/')).toBe(routed))

  it.each([
    ['/chat/v1/models', '/v1/models'],
    ['/chat//v1/models/', '/v1/models'],
    ['/v1/models', '/v1/models'],
    ['/chat', '/'],
    ['/chat/', '/'],
    ['/chatter/v1/models', '/chatter/v1/models'],
    ['/chat/chat/', '/chat/'],
  ])('takes %s for %s where the server is shown at /chat', (path, routed) =>
    expect(routedPath(path, '/chat')).toBe(routed),
  )
})

describe('paths', () => {
  /** As it goes over the wire: `fetch` would tidy it up. */
  async function statusOf(port: number, path: string, method = 'GET'): Promise<readonly [number, unknown]> {
    const request = httpRequest({ host: '127.0.0.1', port, path, method })
    request.end()
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    return [response.statusCode!, await json(response).catch(() => undefined)]
  }

  it('may have slashes too many on the APIs, over the wire too', async () => {
    await using test = createTestGateway({ specs: [{ id: 'a/b' }] })
    const { port } = await test.listen()
    for (const path of [
      '/v1/models/',
      '//v1/models',
      '/v1//models//',
      '///v1/models/a/b/',
      '/v1/models/a%2Fb',
    ])
      expect([path, (await statusOf(port, path))[0]]).toEqual([path, 200])
    expect((await statusOf(port, '//api/v1/models/'))[0]).toBe(200)
    for (const path of ['/healthz/', '/health/', '/ready/', '//metrics'])
      expect([path, (await statusOf(port, path))[0]]).toEqual([path, 200])
  })

  it('lead from /docs/ to /docs, where the page’s relative addresses begin', async () => {
    await using test = createTestGateway()
    const { url } = await test.listen()
    const response = await fetch(`${url}/docs/`, { redirect: 'manual' })
    expect(response.status).toBe(308)
    expect(response.headers.get('location')).toBe('../docs')
  })

  it('can’t be written so that the rules for pages of other origins don’t hold', async () => {
    await using test = createTestGateway()
    const headers = { host: 'localhost:5000', origin: 'https://evil.example' }
    for (const path of ['//v1/models', '/v1//models', '/./v1/models', '/x/../v1/models', '/%76%31/models']) {
      const response = await test.app.request(`http://localhost:5000${path}`, { headers })
      expect([403, 404]).toContain(response.status)
    }
  })

  it.each([
    ['/models', '/v1/models'],
    ['/chat/completions', '/v1/chat/completions'],
    ['/v1/v1/models', '/v1/models'],
    ['/openai/v1/chat/completions/', '/v1/chat/completions'],
    ['/V1/Chat/Completions', '/v1/chat/completions'],
    ['/embeddings', '/v1/embeddings'],
    ['/v1', 'This is the base URL'],
    ['/v1/v1/', 'This is the base URL'],
    ['/responses', '/v1/responses'],
    ['/messages', '/v1/messages'],
    ['/v1/v1/messages/count_tokens', '/v1/messages/count_tokens'],
    ['/v1/threads/thread_1/messages', '/v1/chat/completions'],
    ['/v1/audio/speech', 'write only text'],
    ['/completion', 'under /v1'],
    ['/ollama/api/chat', '/api/chat'],
    ['/api/blobs/sha256:0', 'configuration'],
  ])('%s is answered by a 404 that names what was meant: %s', async (path, meant) => {
    await using test = createTestGateway()
    const response = await test.app.request(path, { method: 'POST' })
    expect(response.status).toBe(404)
    const body = await readJson(response)
    expect(body.error?.message ?? body.error).toContain(meant)
    if (!path.startsWith('/api/')) expect(body.error.code).toBe('unknown_url')
  })

  it.each(['/v1/chat/completions', '/v1/completions', '/v1/embeddings', '/v1/tokenize'])(
    'GET %s is told which method it takes',
    async (path) => {
      await using test = createTestGateway()
      const response = await test.app.request(path)
      expect(response.status).toBe(405)
      expect(response.headers.get('allow')).toBe('POST')
    },
  )
})

describe('a server that is shown at /chat', () => {
  const config = { basePath: '/chat' }

  it('answers whether the proxy cuts the prefix off or not', async () => {
    await using test = createTestGateway({ config })
    for (const path of ['/chat/v1/models', '/v1/models', '/chat/healthz', '/healthz', '/chat/docs'])
      expect((await test.app.request(path)).status).toBe(200)
    expect((await test.app.request('/chatv1/models')).status).toBe(404)
  })

  it('leads from /chat to /chat/, where the page’s relative addresses begin', async () => {
    await using test = createTestGateway({ config })
    const response = await test.app.request('/chat?chat=1')
    expect(response.status).toBe(308)
    expect(response.headers.get('location')).toBe('/chat/?chat=1')
    expect((await test.app.request('/chat/')).status).not.toBe(308)
    expect((await test.app.request('/')).status).not.toBe(308)
  })

  it('does not believe X-Forwarded-Prefix, which any client can send', async () => {
    await using test = createTestGateway()
    const response = await test.app.request('/openapi.json', { headers: { 'x-forwarded-prefix': '/evil' } })
    expect(await response.text()).not.toContain('evil')
  })

  it('keeps pages of other origins out there too', async () => {
    await using test = createTestGateway({ config })
    const headers = { host: 'localhost:5000', origin: 'https://evil.example' }
    for (const path of ['/chat/v1/models', '/chat//v1/models', '/chat/api/v1/models'])
      expect((await test.app.request(path, { headers })).status).toBe(403)
  })

  it('takes WebSockets there, through a proxy that leaves the prefix', async () => {
    await using test = createTestGateway({ config })
    const { url } = await test.listen()
    using client = await new V2Client(`${url}/chat`).open()
    expect(await client.startSession(64)).toEqual({ ok: true })
  })
})
