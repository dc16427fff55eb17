import { once } from 'node:events'
import { type IncomingMessage, request as httpRequest } from 'node:http'
import { hostname } from 'node:os'
import { text as readText } from 'node:stream/consumers'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { withDefaultModel, startPetalsChat, type PetalsChat } from './support/petals-chat.ts'

const model = 'SmolLM2-135M-Instruct'
const messages = [{ role: 'user', content: 'What is the capital of France?' }] as const

let server: PetalsChat

beforeAll(async () => {
  const args = ['--trusted-host', 'chat.example.org', '--base-path', '/chat']
  server = await startPetalsChat({ args, env: await withDefaultModel() })
})
afterAll(() => server[Symbol.asyncDispose]())

describe('requests as other clients than OpenAI’s send them', () => {
  interface Answer {
    readonly model: string
    readonly choices: readonly { readonly finish_reason: string; readonly text?: string }[]
    readonly usage: { readonly completion_tokens: number; readonly total_tokens: number }
  }

  async function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const sent = body instanceof Uint8Array ? Uint8Array.from(body) : JSON.stringify(body)
    const response = await fetch(`${server.url}${path}`, { method: 'POST', body: sent, headers })
    const text = await response.text()
    expect([response.status, response.ok ? '' : text]).toEqual([200, ''])
    return JSON.parse(text) as Answer
  }

  const short = { messages, max_tokens: 4 }

  it('may name a model of their own, or none', async () => {
    for (const name of ['gpt-3.5-turbo', 'dummy', `${server.url}/v1`, null, undefined])
      expect((await post('/v1/chat/completions', { ...short, model: name })).model).toBe(model)
    expect((await post('/v1/completions', { prompt: 'Once', max_tokens: 2 })).model).toBe(model)
  })

  it('may ask for more tokens than there is room for, and send empty values', async () => {
    const answer = await post('/v1/chat/completions', {
      messages,
      max_tokens: 1_000_000,
      seed: -1,
      stop: '',
      top_k: -1,
      top_p: 0,
      min_p: 0,
      repeat_penalty: 1,
      temperature: 0,
      cache_prompt: true,
      id_slot: -1,
    })
    expect(answer.choices[0]!.finish_reason).toBe('stop')
    const stops = ['One', 'Two', 'Three', 'Four', 'Five', 'Six', '']
    await post('/v1/chat/completions', { ...short, stop: stops, n_predict: 3 })
  })

  it('get 16 tokens of a completion without a length, as documented', async () => {
    const { usage } = await post('/v1/completions', {
      prompt: 'Count: 1 2 3 4',
      temperature: 0,
      ignore_eos: true,
    })
    expect(usage.completion_tokens).toBe(16)
  })

  it('may have compressed bodies, other charsets, and JSON under any content type', async () => {
    const json = JSON.stringify(short)
    for (const [coding, bytes] of [
      ['gzip', gzipSync(json)],
      ['br', brotliCompressSync(json)],
      ['deflate', deflateSync(json)],
    ] as const)
      await post('/v1/chat/completions', bytes, {
        'content-encoding': coding,
        'content-type': 'application/json',
      })
    await post('/v1/chat/completions', Buffer.from(`\ufeff${json}`, 'utf16le'), {
      'content-type': 'text/plain',
    })
    const refused = await fetch(`${server.url}/v1/chat/completions`, {
      method: 'POST',
      body: json,
      headers: { 'content-encoding': 'compress' },
    })
    expect(refused.status).toBe(415)
  })

  it('may have extra slashes and a prefix; wrong paths and methods get advice', async () => {
    const statusOf = async (path: string) => (await ask(path)).status
    for (const path of ['/v1/models/', '//v1/models', '/chat/v1/models', '/chat/docs', '/chat/openapi.json'])
      expect([path, await statusOf(path)]).toEqual([path, 200])
    const { status, text } = await ask('/v1/v1/chat/completions')
    expect(status).toBe(404)
    expect(JSON.parse(text)).toMatchObject({
      error: {
        code: 'unknown_url',
        message: expect.stringContaining('Did you mean /v1/chat/completions?') as string,
      },
    })
    expect(await statusOf('/v1/chat/completions')).toBe(405)
    // Neither dots nor escapes lead out of the page's folder.
    for (const path of ['/chat/../../package.json', '/..%2f..%2fpackage.json', '//..//package.json'])
      expect([404, 400]).toContain(await statusOf(path))
  })

  it('may name this machine in any usual way', async () => {
    for (const host of ['host.docker.internal', 'chat.example.org', hostname().split('.')[0]!])
      expect((await ask('/v1/models', `${host}:5000`)).status).toBe(200)
    const refused = await ask('/v1/models', 'other.example.org')
    expect(refused.status).toBe(403)
    expect(refused.text).toContain('--trusted-host other.example.org')
  })

  it('are refused for unknown fields, at any depth', async () => {
    for (const [body, param] of [
      [{ ...short, flux: 1 }, 'flux'],
      [{ messages: [{ role: 'user', content: 'Hi', flux: 1 }] }, 'messages[0].flux'],
    ] as const) {
      const response = await fetch(`${server.url}/v1/chat/completions`, {
        method: 'POST',
        body: JSON.stringify(body),
      })
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ error: { param, code: 'unknown_parameter' } })
    }
  })

  /** As it is written, over a connection of its own: `fetch` would tidy the path up and choose the host. */
  async function ask(path: string, host = 'localhost') {
    const { port } = new URL(server.url)
    const request = httpRequest({ host: '127.0.0.1', port, path, headers: { host } }).end()
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    return { status: response.statusCode, text: await readText(response) }
  }
})
