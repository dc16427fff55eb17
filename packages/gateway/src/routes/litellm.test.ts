import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { z } from 'zod'
import { callsOf, type Holds } from '../../../../tests/clients/calls-of.ts'
import { createTestApp, type TestApp } from './openai/fixtures/test-app.ts'
import { weatherReply } from './openai/fixtures/weather-reply.ts'

const requestSchema = z.object({
  path: z.string(),
  headers: z.record(z.string(), z.string()),
  body: z.looseObject({ stream: z.boolean().optional(), name: z.string().optional() }),
})

/** What LiteLLM 1.110.2 sent in loops with a tool: whole, streamed, and by its `responses()`. */
const recorded = z
  .record(z.string(), z.array(requestSchema))
  .parse(JSON.parse(await readFile(new URL('recorded/litellm.json', import.meta.url), 'utf8')))

let app: TestApp

beforeAll(() => {
  app = createTestApp({ reply: weatherReply })
})
afterAll(() => app[Symbol.asyncDispose]())

const providers: Readonly<Record<string, Holds<'chat' | 'stream' | 'tools'>>> = {
  openai: callsOf('litellm-openai', import.meta.url),
  anthropic: callsOf('litellm-anthropic', import.meta.url),
  ollama_chat: callsOf('litellm-ollama', import.meta.url),
}

describe.each(Object.entries(providers))('what LiteLLM sends by %s/', (provider, holds) => {
  holds(
    'chat',
    'stream',
    'tools',
  )('gets calls of the tool, and answers with its results', async () => {
    const seen: string[] = []
    for (const { path, headers, body } of recorded[provider]!) {
      const response = await app.get(path, { method: 'POST', headers, body: JSON.stringify(body) })
      const text = await response.text()
      expect(response.status, text).toBe(200)
      const isStream = /event-stream|ndjson/.test(response.headers.get('content-type') ?? '')
      expect(isStream).toBe(body.stream ?? false)
      const hasResult = JSON.stringify(body).includes('It is sunny.')
      if (path !== '/api/show') seen.push(hasResult ? 'answer' : 'call')
      if (hasResult) expect(text).toContain('It is sunny in Paris.')
      else expect(text).toMatch(path === '/api/show' ? /"tools"/ : /"name":"weather"/)
    }
    expect(seen).toEqual(['call', 'answer', 'call', 'answer', 'call', 'answer'])
  })
})
