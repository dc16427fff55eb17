import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { createTestApp, type TestApp } from '../routes/openai/fixtures/test-app.ts'

const body = JSON.stringify({ messages: [{ role: 'user', content: 'Grüße, 世界' }], max_tokens: 4 })

const codings: readonly (readonly [string, (text: string | Uint8Array) => Uint8Array])[] = [
  ['gzip', gzipSync],
  ['x-gzip', gzipSync],
  ['GZIP', gzipSync],
  ['deflate', deflateSync],
  ['deflate', deflateRawSync],
  ['br', brotliCompressSync],
  ['zstd', zstdCompressSync],
  ['identity', (text) => Buffer.from(text)],
  ['deflate, gzip', (text) => gzipSync(deflateSync(text))],
]

async function post(
  app: TestApp,
  bytes: Uint8Array | string,
  headers: Record<string, string>,
  path = '/v1/chat/completions',
) {
  const sent = typeof bytes === 'string' ? bytes : Uint8Array.from(bytes)
  const response = await app.gateway.app.request(path, { method: 'POST', body: sent, headers })
  const text = await response.text()
  const { error, usage } = JSON.parse(text) as {
    readonly error?: { readonly code: string; readonly message: string }
    readonly usage?: { readonly prompt_tokens: number }
  }
  return {
    status: response.status,
    code: error?.code,
    message: error?.message ?? text,
    tokens: usage?.prompt_tokens,
  }
}

describe('bodies', () => {
  it.each(codings)('of Content-Encoding %s are decoded, on every API', async (coding, compress) => {
    await using app = createTestApp()
    const headers = { 'content-type': 'application/json', 'content-encoding': coding }
    const plain = await post(app, body, { 'content-type': 'application/json' })
    expect(plain.status).toBe(200)
    expect((await post(app, compress(body), headers)).tokens).toBe(plain.tokens)
    const legacy = JSON.stringify({ inputs: 'Hi', max_new_tokens: 1 })
    expect((await post(app, compress(legacy), headers, '/api/v1/generate')).status).toBe(200)
    const form = { ...headers, 'content-type': 'application/x-www-form-urlencoded' }
    expect((await post(app, compress('inputs=Hi&max_new_tokens=1'), form, '/api/v1/generate')).status).toBe(
      200,
    )
  })

  it('are measured when they are decoded, and a bomb is not decoded to its end', async () => {
    await using app = createTestApp({ config: { maxBodyBytes: 64 * 1024 } })
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, ' '))
    expect(bomb.length).toBeGreaterThan(60_000)
    for (const [coding, bytes] of [
      ['gzip', gzipSync(Buffer.alloc(20 * 1024 * 1024, ' '))],
      ['br', brotliCompressSync(Buffer.alloc(64 * 1024 * 1024, ' '))],
      ['zstd', zstdCompressSync(Buffer.alloc(64 * 1024 * 1024, ' '))],
      ['gzip, gzip', gzipSync(bomb)],
    ] as const) {
      expect(bytes.length).toBeLessThan(64 * 1024)
      const before = process.memoryUsage().arrayBuffers
      expect(await post(app, bytes, { 'content-encoding': coding })).toMatchObject({
        status: 413,
        code: 'request_too_large',
      })
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024)
    }
  })

  it.each(['compress', 'snappy', 'gzip, nonsense', 'gzip, gzip, gzip', '__proto__'])(
    'of Content-Encoding %s are refused by its name',
    async (coding) => {
      await using app = createTestApp()
      const answer = await post(app, body, { 'content-encoding': coding })
      expect(answer).toMatchObject({ status: 415, code: 'unsupported_media_type' })
      expect(answer.message).toContain(`'${coding}'`)
      expect(answer.message).toContain('gzip, deflate, br, zstd')
    },
  )

  it('that are not what their Content-Encoding says are refused in words', async () => {
    await using app = createTestApp()
    for (const coding of ['gzip', 'deflate', 'br', 'zstd']) {
      const answer = await post(app, body, { 'content-encoding': coding })
      expect(answer).toMatchObject({ status: 400, code: 'bad_request' })
      expect(answer.message).toContain(coding)
    }
    const cut = gzipSync(body).subarray(0, 40)
    expect((await post(app, cut, { 'content-encoding': 'gzip' })).status).toBe(400)
  })
})

describe('charsets', () => {
  const utf16be = (text: string) => Buffer.from(text, 'utf16le').swap16()
  const json = (charset?: string) => ({
    'content-type': charset ? `application/json; charset=${charset}` : 'application/json',
  })

  it.each([
    ['UTF-8', Buffer.from(body), json()],
    ['UTF-8 with a mark', Buffer.from(`\ufeff${body}`), json()],
    ['UTF-8 by name', Buffer.from(body), json('"UTF-8"')],
    ['UTF-8 in other quotes', Buffer.from(body), json("'utf-8'")],
    ['UTF-8 in two headers that were joined', Buffer.from(body), json('utf-8, application/json')],
    ['UTF-16 with a mark', Buffer.from(`\ufeff${body}`, 'utf16le'), json()],
    ['UTF-16 with the other mark', utf16be(`\ufeff${body}`), json('utf-16')],
    ['UTF-16 by name', Buffer.from(body, 'utf16le'), json('utf-16')],
    ['UTF-16BE by name', utf16be(body), json('utf-16be')],
    ['UTF-16 without a word', Buffer.from(body, 'utf16le'), json()],
    ['UTF-16BE without a word', utf16be(body), {}],
    ['UTF-8 as text/plain', Buffer.from(body), { 'content-type': 'text/plain' }],
    ['UTF-8 without a type', Buffer.from(body), {}],
    [
      'UTF-8 as a form, curl’s default',
      Buffer.from(body),
      { 'content-type': 'application/x-www-form-urlencoded' },
    ],
  ] as const)('%s is read', async (_name, bytes, headers) => {
    await using app = createTestApp()
    const plain = await post(app, body, json())
    expect(await post(app, bytes, headers)).toEqual({ ...plain, message: expect.any(String) as string })
  })

  it('ISO 8859-1 and Shift_JIS are read where they are named', async () => {
    await using app = createTestApp()
    const ask = (content: string) => JSON.stringify({ prompt: content, max_tokens: 1 })
    const path = '/v1/completions'
    const expected = await post(app, ask('Grüße'), json(), path)
    expect((await post(app, Buffer.from(ask('Grüße'), 'latin1'), json('iso-8859-1'), path)).tokens).toBe(
      expected.tokens,
    )
    const japanese = Buffer.concat([
      Buffer.from('{"prompt":"'),
      Buffer.from([0x90, 0xa2]),
      Buffer.from('","max_tokens":1}'),
    ])
    const same = await post(app, ask('世'), json(), path)
    expect((await post(app, japanese, json('shift_jis'), path)).tokens).toBe(same.tokens)
  })

  it('what is not in its charset is refused with advice, not read wrongly', async () => {
    await using app = createTestApp()
    const latin = Buffer.from(body.replace('世界', ''), 'latin1')
    const answer = await post(app, latin, json())
    expect(answer).toMatchObject({ status: 400, code: 'bad_request' })
    expect(answer.message).toContain('charset=iso-8859-1')
    expect((await post(app, latin, json('utf-8'))).status).toBe(400)
  })

  it.each(['utf-32', 'klingon'])('%s is refused by name', async (charset) => {
    await using app = createTestApp()
    const answer = await post(app, body, json(charset))
    expect(answer).toMatchObject({ status: 415, code: 'unsupported_media_type' })
    expect(answer.message).toContain(`'${charset}'`)
  })
})
