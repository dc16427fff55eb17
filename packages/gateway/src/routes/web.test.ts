import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request, type IncomingHttpHeaders } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestGateway } from '../fixtures/test-gateway.ts'

const script = 'console.log("the page")\n'
let root: string

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'petals-chat-web-'))
  await mkdir(join(root, 'site/assets'), { recursive: true })
  await mkdir(join(root, 'site/.vite'))
  await writeFile(join(root, 'site/.vite/manifest.json'), '{}')
  await writeFile(join(root, 'secret.txt'), 'secret')
  await writeFile(join(root, 'site/index.html'), '<!doctype html><title>Petals Chat</title>')
  await writeFile(join(root, 'site/manifest.webmanifest'), '{}')
  await writeFile(join(root, 'site/assets/main-abc123.js'), script)
  await writeFile(join(root, 'site/assets/main-abc123.js.br'), brotliCompressSync(script))
  await writeFile(join(root, 'site/assets/main-abc123.js.gz'), gzipSync(script))
})
afterAll(() => rm(root, { recursive: true }))

const createPage = () => createTestGateway({ webRoot: join(root, 'site') })

/** As it comes over the wire: `fetch` would decode it. */
async function getRaw(
  url: string,
  accepted: string,
  { method = 'GET' } = {},
): Promise<{ headers: IncomingHttpHeaders; body: Buffer; length: number }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ headers: IncomingHttpHeaders; body: Buffer }>()
  request(url, { method, headers: { 'accept-encoding': accepted } }, (response) => {
    const chunks: Buffer[] = []
    response.on('data', (chunk: Buffer) => chunks.push(chunk))
    response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(chunks) }))
  })
    .on('error', reject)
    .end()
  const answer = await promise
  return { ...answer, length: answer.body.length }
}

describe('the chat page', () => {
  it('is never cached without asking, its hashed files for ever', async () => {
    await using test = createPage()
    const page = await test.app.request('/')
    expect(await page.text()).toContain('<title>Petals Chat</title>')
    expect(page.headers.get('content-type')).toMatch(/^text\/html/)
    expect(page.headers.get('cache-control')).toBe('no-cache')
    const asset = await test.app.request('/assets/main-abc123.js')
    expect(await asset.text()).toBe(script)
    expect(asset.headers.get('content-type')).toMatch(/^text\/javascript/)
    expect(asset.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect((await test.app.request('/manifest.webmanifest')).headers.get('cache-control')).toBe('no-cache')
  })

  it.each([
    ['gzip, deflate, br, zstd', 'br', brotliDecompressSync],
    ['br;q=0.2, gzip;q=0.9', 'gzip', gunzipSync],
    ['br;q=0, gzip;q=0', null, (bytes: Uint8Array) => bytes],
  ] as const)('sends what was compressed ahead, by weight (%s)', async (accepted, coding, decode) => {
    await using test = createPage()
    const { url } = await test.listen()
    const { headers, body, length } = await getRaw(`${url}/assets/main-abc123.js`, accepted)
    expect(headers['content-encoding'] ?? null).toBe(coding)
    expect(headers['vary']?.toLowerCase()).toContain('accept-encoding')
    expect(headers['content-type']).toBe('text/javascript; charset=utf-8')
    expect(headers['content-length']).toBe(`${length}`)
    expect(Buffer.from(decode(body)).toString()).toBe(script)
  })

  it('tells by HEAD what GET would send', async () => {
    await using test = createPage()
    const { url } = await test.listen()
    for (const accepted of ['br', 'gzip', 'identity']) {
      const get = await getRaw(`${url}/assets/main-abc123.js`, accepted)
      const head = await getRaw(`${url}/assets/main-abc123.js`, accepted, { method: 'HEAD' })
      expect(head.length).toBe(0)
      for (const name of ['content-encoding', 'content-length', 'content-type', 'etag', 'vary'])
        expect(head.headers[name], name).toBe(get.headers[name])
    }
  })

  it('sends nothing again that the client has, and each coding has a tag of its own', async () => {
    await using test = createPage()
    const path = '/assets/main-abc123.js'
    const tags = new Set<string>()
    for (const accepted of ['br', 'gzip', 'identity']) {
      const headers = { 'accept-encoding': accepted }
      const etag = (await test.app.request(path, { headers })).headers.get('etag') ?? ''
      tags.add(etag)
      for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
        const again = await test.app.request(path, { headers: { ...headers, 'if-none-match': known } })
        expect([again.status, await again.text()]).toEqual([304, ''])
        expect(again.headers.get('etag')).toBe(etag)
        expect(again.headers.get('vary')?.toLowerCase()).toContain('accept-encoding')
      }
      const other = await test.app.request(path, { headers: { ...headers, 'if-none-match': '"other"' } })
      expect(other.status).toBe(200)
    }
    expect(tags.size).toBe(3)
  })

  it.each(['/assets/main-abc123.js.br', '/assets/main-abc123.js.gz', '/.vite/manifest.json'])(
    'keeps %s, which is for the server itself, to itself',
    async (path) => {
      await using test = createPage()
      expect((await test.app.request(path)).status).toBe(404)
    },
  )

  it('runs only its own scripts, and in no frame', async () => {
    await using test = createPage()
    const { headers } = await test.app.request('/')
    const policy = headers.get('content-security-policy') ?? ''
    const directives = policy.split('; ')
    expect(directives).toEqual(
      expect.arrayContaining([
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        // No string becomes markup or script, and no code may create a policy that allows it: the page has only its own.
        "require-trusted-types-for 'script'",
        'trusted-types petals-chat',
      ]),
    )
    expect(policy).not.toMatch(/unsafe|allow-duplicates|\*|https?:/)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
  })

  it.each(['/nowhere', '/chat/5', '/assets/none.js'])('is not served in place of %s', async (path) => {
    await using test = createPage()
    const response = await test.app.request(path)
    expect(response.status).toBe(404)
    expect(response.headers.get('cache-control')).toBeNull()
  })

  it.each([
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/assets/..%2f..%2fsecret.txt',
    '/..%5csecret.txt',
    '/%00',
    '/%',
  ])('does not leave its folder for %s', async (path) => {
    await using test = createPage()
    const response = await test.app.request(`http://localhost${path}`)
    expect(response.status).toBe(404)
    expect(await response.text()).not.toContain('secret\n')
  })

  it('does not hide the APIs', async () => {
    await using test = createPage()
    expect((await test.app.request('/health')).headers.get('content-type')).toBe('application/json')
    expect((await test.app.request('/', { method: 'POST' })).status).toBe(404)
  })

  it('says so when it has not been built, and the APIs work', async () => {
    for (const webRoot of [{}, { webRoot: join(root, 'nothing') }]) {
      await using test = createTestGateway(webRoot)
      const response = await test.app.request('/')
      expect(response.status).toBe(503)
      expect(response.headers.get('content-type')).toMatch(/^text\/html/)
      expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
      expect(await response.text()).toContain('npm run build:web')
      expect((await test.app.request('/health')).status).toBe(200)
    }
  })
})
