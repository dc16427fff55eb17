import { hostname } from 'node:os'
import { describe, expect, it } from 'vitest'
import { createTestGateway, type LogRecord, readJson, recordingLogger } from './fixtures/test-gateway.ts'
import { machineNames } from './middleware/trusted-host.ts'

const generate = '/api/v1/generate?inputs=Hello&max_new_tokens=1'

describe('hosts', () => {
  const statusFor = async (host: string, config = {}) => {
    await using test = createTestGateway({ config })
    return (await test.app.request('http://localhost/healthz', { headers: { host } })).status
  }

  it.each([
    'localhost',
    'localhost:5000',
    'LOCALHOST',
    'chat.localhost:5000',
    '127.0.0.1:5000',
    '192.168.1.5',
    '[::1]:5000',
    '[fe80::1]',
  ])('trusts %s', async (host) => expect(await statusFor(host)).toBe(200))

  it.each([
    'evil.example',
    'localhost.evil.example:5000',
    'evil.example:127.0.0.1',
    'a:b:c',
    '[::1',
    '',
    'localhost:999999',
  ])('refuses %s, which a foreign page could have pointed here', async (host) =>
    expect(await statusFor(host)).toBe(403),
  )

  it('trusts the names of the config', async () => {
    expect(await statusFor('chat.example.org', { trustedHosts: ['Chat.example.org'] })).toBe(200)
    expect(await statusFor('chat.example.org.', { trustedHosts: ['chat.example.org'] })).toBe(200)
    expect(await statusFor('other.example.org', { trustedHosts: ['chat.example.org'] })).toBe(403)
    expect(await statusFor('any.example.org', { trustedHosts: ['*'] })).toBe(200)
    expect(await statusFor('my-machine', { host: 'my-machine' })).toBe(200)
  })

  it('trusts what this machine and its containers call it', async () => {
    const [name = ''] = hostname().toLowerCase().split('.')
    for (const host of [`${name}:5000`, `${name.toUpperCase()}.local`, 'host.docker.internal:5000'])
      expect(await statusFor(host)).toBe(200)
    expect(await statusFor(`${name}.evil.example`)).toBe(403)
    expect(await statusFor('docker.internal')).toBe(403)
  })

  it('knows a machine by the first part of its name, whatever domain a DHCP server gave it', () => {
    expect(machineNames('Den.evil.example')).toEqual(['den', 'den.local'])
    expect(machineNames('')).toEqual([])
  })

  it('says what to do, with the name to trust', async () => {
    await using test = createTestGateway()
    const messageFor = async (host: string) => {
      const response = await test.app.request('http://localhost/v1/models', { headers: { host } })
      const { error } = await readJson(response)
      expect(error.code).toBe('forbidden_host')
      return error.message as string
    }
    const message = await messageFor('Chat.example.org:8443')
    expect(message).toContain('--trusted-host chat.example.org ')
    expect(message).toContain('PETALS_CHAT_TRUSTED_HOSTS')
    expect(message).toContain('server.trustedHosts')
    // Nothing to paste into a shell that a stranger wrote.
    expect(await messageFor('a;reboot')).toContain('--trusted-host (variable')
  })
})

describe('other origins', () => {
  const foreign = { host: 'localhost:5000', origin: 'https://evil.example' }
  const own = { host: 'localhost:5000', origin: 'http://localhost:5000' }

  it.each([
    ['a form post', foreign],
    ['a form post of a sandboxed page', { ...foreign, origin: 'null' }],
    ['a page on another port of the same machine', { ...own, origin: 'http://localhost:3000' }],
    ['an image or a GET form', { host: 'localhost:5000', 'sec-fetch-site': 'cross-site' }],
    ['an image on another port', { host: 'localhost:5000', 'sec-fetch-site': 'same-site' }],
    ['a browser whose proxy empties Origin', { ...foreign, origin: '', 'sec-fetch-site': 'cross-site' }],
    [
      'an old browser whose proxy does',
      { ...foreign, origin: '', 'sec-fetch-site': '', referer: 'http://evil.example/' },
    ],
  ])('have no effect by %s', async (_name, headers) => {
    await using test = createTestGateway()
    for (const init of [
      { headers },
      { method: 'POST', body: new URLSearchParams({ inputs: 'a' }), headers },
    ]) {
      const response = await test.app.request(generate, init)
      expect(response.status).toBe(403)
      expect(response.headers.get('access-control-allow-origin')).toBeNull()
      expect(await readJson(response)).toEqual({
        ok: false,
        traceback: expect.stringContaining('server.cors'),
      })
    }
    expect(test.engine.steps).toBe(0)
  })

  it.each([
    ['pages of this server', own],
    ['pages behind a proxy that ends TLS', { host: 'localhost:5000', origin: 'https://localhost:5000' }],
    ['people who type the address', { host: 'localhost:5000', 'sec-fetch-site': 'none' }],
    ['programs', { host: 'localhost:5000' }],
    [
      'programs behind a proxy that empties headers',
      { ...foreign, origin: '', 'sec-fetch-site': '', referer: '' },
    ],
  ])('are not %s', async (_name, headers) => {
    await using test = createTestGateway()
    expect((await test.app.request(generate, { headers })).status).toBe(200)
  })

  it('come in where the config lets them', async () => {
    await using test = createTestGateway({ config: { cors: { legacy: ['https://evil.example'] } } })
    const response = await test.app.request(generate, { headers: foreign })
    expect(response.status).toBe(200)
    expect(response.headers.get('access-control-allow-origin')).toBe('https://evil.example')
    expect(response.headers.get('access-control-expose-headers')).toContain('x-request-id')
    expect(response.headers.get('vary')).toContain('origin')
    expect((await test.app.request('/v1/models', { headers: foreign })).status).toBe(403)
    const other = { ...foreign, origin: 'https://other.example' }
    expect((await test.app.request(generate, { headers: other })).status).toBe(403)
  })

  it.each([
    ['vscode-webview://*', 'vscode-webview://1a2b3c', true],
    ['vscode-webview://*', 'https://1a2b3c', false],
    ['http://localhost:*', 'http://localhost:3000', true],
    ['http://localhost:*', 'http://localhost', true],
    ['http://localhost:*', 'http://localhost.evil.example:3000', false],
    ['http://localhost:*', 'https://localhost:3000', false],
    ['https://*.example.org', 'https://chat.example.org', true],
    ['https://*.example.org', 'https://a.b.example.org', true],
    ['https://*.example.org', 'https://example.org', false],
    ['https://*.example.org', 'https://evil.example/.example.org', false],
    ['https://*.example.org', 'https://evil.example:1.example.org', false],
    ['https://*.example.org', 'https://chatxexample.org', false],
    ['https://Chat.example.org', 'https://chat.example.org', true],
  ])('by the pattern %s: %s comes in: %s', async (pattern, origin, comesIn) => {
    await using test = createTestGateway({ config: { cors: { all: [pattern] } } })
    const response = await test.app.request('/v1/models', { headers: { host: 'localhost:5000', origin } })
    expect(response.status).toBe(comesIn ? 200 : 403)
  })

  it.each([
    ['a browser that says so', { 'sec-fetch-site': 'same-origin' }],
    ['headers of the proxy', { 'x-forwarded-for': '192.0.2.7' }],
  ])('are told apart, by %s, from one server whose proxy changed Host', async (_name, more) => {
    await using test = createTestGateway()
    const headers = { host: '127.0.0.1:5000', origin: 'https://chat.example.org' }
    const messageFor = async (more: object) => {
      const response = await test.app.request('/v1/models', { headers: { ...headers, ...more } })
      expect(response.status).toBe(403)
      return (await readJson(response)).error.message as string
    }
    expect(await messageFor(more)).toContain('proxy_set_header Host $host')
    expect(await messageFor({})).toContain('server.cors')
    expect(await messageFor({ 'sec-fetch-site': 'cross-site' })).toContain('server.cors')
  })

  it('can read the errors of the APIs that they may use', async () => {
    await using test = createTestGateway({ config: { cors: { all: ['*'] } } })
    const response = await test.app.request('/v1/models/nope', { headers: foreign })
    expect(response.status).toBe(404)
    expect(response.headers.get('access-control-allow-origin')).toBe('https://evil.example')
  })

  it('are answered their preflights', async () => {
    await using test = createTestGateway({ config: { cors: { all: ['*'] } } })
    const preflight = {
      ...foreign,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization, content-type',
      'access-control-request-private-network': 'true',
    }
    const response = await test.app.request('/v1/chat/completions', { method: 'OPTIONS', headers: preflight })
    expect(response.status).toBe(204)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'access-control-allow-origin': 'https://evil.example',
      'access-control-allow-methods': expect.stringContaining('POST'),
      'access-control-allow-headers': 'authorization, content-type',
      'access-control-allow-private-network': 'true',
    })
    await using closed = createTestGateway()
    expect((await closed.app.request('/v1/models', { method: 'OPTIONS', headers: preflight })).status).toBe(
      403,
    )
  })
})

describe('what browsers are told', () => {
  it('is to keep everything away from other sites, pages and answers alike', async () => {
    await using test = createTestGateway()
    for (const path of ['/', '/docs', '/v1/models', '/api/v1/models', '/metrics', '/nope']) {
      const { headers } = await test.app.request(path, { headers: { 'sec-fetch-site': 'none' } })
      expect(headers.get('cross-origin-resource-policy')).toBe('same-origin')
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('access-control-allow-origin')).toBeNull()
      const isPage = headers.get('content-type')?.startsWith('text/html') ?? false
      expect(headers.get('cross-origin-opener-policy')).toBe(isPage ? 'same-origin' : null)
      expect(headers.get('content-security-policy')?.includes("frame-ancestors 'none'") ?? false).toBe(isPage)
    }
  })

  it('is no opener policy over plain http from another machine, where browsers only complain of it', async () => {
    await using test = createTestGateway()
    const { headers } = await test.app.request('/')
    expect(headers.get('content-security-policy')).not.toBeNull()
    expect(headers.get('cross-origin-opener-policy')).toBeNull()
  })
})

describe('request ids and the log', () => {
  it('takes a sane id from the client and makes one otherwise', async () => {
    await using test = createTestGateway()
    const idFor = async (id: string) =>
      (await test.app.request('/healthz', { headers: { 'x-request-id': id } })).headers.get('x-request-id')
    expect(await idFor('abc-1.2:3_Z')).toBe('abc-1.2:3_Z')
    for (const insane of ['', 'a b', 'ä', 'x'.repeat(129), '<script>', '../..']) {
      expect(await idFor(insane)).toMatch(/^[0-9a-f-]{36}$/)
    }
  })

  it('is on every answer, errors included', async () => {
    await using test = createTestGateway()
    for (const path of ['/', '/nope', '/api/nope', '/v1/models/nope', '/metrics', '/api/v1/generate']) {
      expect((await test.app.request(path)).headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    }
  })

  it('logs who asked what, never the prompt', async () => {
    const records: LogRecord[] = []
    await using test = createTestGateway({ logger: recordingLogger(records) })
    await test.app.request('/api/v1/generate?inputs=secret&max_new_tokens=1', {
      headers: { 'x-request-id': 'id-1' },
    })
    await test.app.request('/v1/models/nope')
    const lines = records.filter(({ message }) => message === 'request').map(({ fields }) => fields)
    expect(lines[0]).toEqual({
      requestId: 'id-1',
      method: 'GET',
      route: '/api/v1/generate',
      path: '/api/v1/generate',
      status: 200,
      ms: expect.any(Number),
    })
    expect(lines[1]).toMatchObject({ path: '/v1/models/nope', status: 404 })
    expect(JSON.stringify(records)).not.toContain('secret')
  })

  it('counts requests by route, not by path', async () => {
    await using test = createTestGateway()
    for (const path of ['/healthz', '/made-up-1', '/made-up-2', generate]) await test.app.request(path)
    await test.app.request('/healthz', { method: 'BREW' })
    const { body } = await test.metrics.render()
    expect(body).toContain('petals_chat_http_requests_total{method="GET",route="/healthz",status="200"} 1')
    expect(body).toContain('petals_chat_http_requests_total{method="GET",route="/*",status="404"} 2')
    expect(body).toContain(
      'petals_chat_http_requests_total{method="GET",route="/api/v1/generate",status="200"} 1',
    )
    expect(body).toContain('method="other"')
    expect(body).not.toMatch(/made-up|BREW/)
  })

  it('serves the metrics', async () => {
    await using test = createTestGateway()
    const response = await test.app.request('/metrics')
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    expect(await response.text()).toContain('# TYPE petals_chat_http_requests_total counter')
  })
})

describe('wrong requests', () => {
  it.each([
    ['/nope', 'GET', 404, 'unknown_url'],
    ['/v1/nope', 'POST', 404, 'unknown_url'],
    ['/metrics', 'POST', 405, 'method_not_allowed'],
    ['/v1/models', 'DELETE', 405, 'method_not_allowed'],
  ])('%s by %s gets %i', async (path, method, status, code) => {
    await using test = createTestGateway()
    const response = await test.app.request(path, { method })
    expect(response.status).toBe(status)
    expect((await readJson(response)).error).toMatchObject({
      code,
      type: 'invalid_request_error',
      param: null,
    })
    if (status === 405) expect(response.headers.get('allow')).toContain('GET')
  })

  it('answers in the shape of the original where the original answered', async () => {
    await using test = createTestGateway()
    for (const [path, method, status] of [
      ['/api/v1/nope', 'GET', 404],
      ['/api/v1/generate', 'PUT', 405],
    ] as const) {
      const response = await test.app.request(path, { method })
      expect(response.status).toBe(status)
      expect(await readJson(response)).toEqual({ ok: false, traceback: expect.stringContaining(path) })
    }
  })

  it('refuses bodies that are too long', async () => {
    await using test = createTestGateway({ config: { maxBodyBytes: 1024 } })
    const body = new URLSearchParams({ inputs: 'a'.repeat(2000), max_new_tokens: '1' }).toString()
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': String(body.length),
    }
    const response = await test.app.request('/api/v1/generate', { method: 'POST', body, headers })
    expect(response.status).toBe(413)
    expect((await readJson(response)).traceback).toContain('1024 bytes')
  })
})
