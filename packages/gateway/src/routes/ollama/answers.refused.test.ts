import { ollamaErrorSchema, ollamaPsSchema } from '@petals-chat/api'
import { describe, expect, it } from 'vitest'
import { createTestApp } from '../openai/fixtures/test-app.ts'
import { messages, tools } from './fixtures/answers.ts'

describe('a refused request', () => {
  it.each([
    ['/api/chat', { messages: [{ role: 'robot', content: 'Hi' }] }, "'messages[0].role'"],
    ['/api/chat', { messages, wrong: 1 }, "'wrong'"],
    ['/api/chat', { messages, options: { wrong: 1 } }, "'options.wrong'"],
    ['/api/chat', { messages, options: { num_predict: -3 } }, "'options.num_predict'"],
    ['/api/chat', { messages, options: { repeat_last_n: 10 } }, "'options.repeat_last_n'"],
    ['/api/chat', { messages, tools: [...tools, ...tools] }, "'tools[1].function.name'"],
    ['/api/chat', { messages, prompt: 'Hi' }, '/api/generate'],
    ['/api/generate', { prompt: 'Hi', template: '{{ .Prompt }}' }, 'template'],
    ['/api/generate', { prompt: 'Hi', context: [9_999] }, "'context[0]'"],
    ['/api/generate', { prompt: 'Hi', raw: true, context: [1] }, "'context'"],
    ['/api/generate', { prompt: 'Hi', images: ['aGk='] }, 'only text'],
    ['/api/embed', { input: 5 }, "'input'"],
    ['/api/embed', { input: 'Hi', dimensions: 3 }, "'dimensions'"],
    ['/api/show', { model: 'test', wrong: 1 }, "'wrong'"],
  ])('%s %j names the field', async (path, body, words) => {
    await using app = createTestApp()
    const response = await app.post(path, { model: 'test', ...body })
    expect(response.status).toBe(400)
    expect(ollamaErrorSchema.strict().parse(await response.json()).error).toContain(words)
  })

  it('has the status of its kind, in one shape', async () => {
    await using app = createTestApp({ specs: [{}, { id: 'two' }] })
    for (const [status, response] of [
      [404, await app.post('/api/chat', { model: 'nothing', messages })],
      [404, await app.post('/api/show', { model: 'nothing' })],
      [404, await app.get('/api/nothing')],
      [405, await app.get('/api/chat')],
      [413, await app.post('/api/chat', { messages }, { headers: { 'content-length': String(2 ** 40) } })],
    ] as const) {
      expect(response.status).toBe(status)
      ollamaErrorSchema.strict().parse(await response.json())
    }
  })

  it('of a page of another site has no effect, whatever form it has', async () => {
    await using app = createTestApp()
    for (const path of ['/api/generate', '/api/chat', '/api/pull', '/api/tags'])
      for (const headers of [
        { origin: 'https://evil.example', 'content-type': 'text/plain' },
        { 'sec-fetch-site': 'cross-site', 'content-type': 'application/x-www-form-urlencoded' },
      ]) {
        const body = path === '/api/tags' ? undefined : JSON.stringify({ model: 'test', prompt: 'Hi' })
        const response = await app.gateway.app.request(`http://localhost${path}`, {
          method: body === undefined ? 'GET' : 'POST',
          headers: { host: 'localhost', ...headers },
          ...(body !== undefined && { body }),
        })
        expect(response.status).toBe(403)
        expect(ollamaErrorSchema.parse(await response.json()).error).toContain('server.cors')
      }
    expect(app.engine.loads).toBe(0)
  })

  it('pulls with the empty fields of Ollama’s own command', async () => {
    await using app = createTestApp()
    const body = { model: 'test', insecure: false, username: '', password: '', stream: false }
    expect(await (await app.post('/api/pull', body)).json()).toEqual({ status: 'success' })
  })

  it('shows an expiry that every time zone can write', async () => {
    await using app = createTestApp()
    await app.post('/api/generate', { model: 'test' })
    const { models } = ollamaPsSchema.parse(await (await app.get('/api/ps')).json())
    const lastOfAll = Date.parse('9999-12-31T23:59:59Z')
    expect(Date.parse(models[0]!.expires_at) + 14 * 3_600_000).toBeLessThan(lastOfAll)
  })

  it('leaves the APIs of the original as they are', async () => {
    await using app = createTestApp()
    expect(await (await app.get('/api/v1/nothing')).json()).toMatchObject({ ok: false })
    expect((await app.get('/api/v1/models')).status).toBe(200)
  })
})
