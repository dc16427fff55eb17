import {
  type OllamaChatEnd,
  ollamaChatEndSchema,
  type OllamaChatLine,
  ollamaChatLineSchema,
  type OllamaEmbedResponse,
  ollamaErrorSchema,
  type OllamaGenerateEnd,
  ollamaGenerateEndSchema,
  ollamaGenerateLineSchema,
  type OllamaModel,
  type OllamaShow,
} from '@petals-chat/api'
import type {
  ChatResponse,
  EmbedResponse,
  GenerateResponse,
  Message,
  ModelResponse,
  ShowResponse,
  ToolCall,
} from 'ollama'
import { describe, expect, it } from 'vitest'
import { createTestApp } from '../openai/fixtures/test-app.ts'
import type { Extends, Mutable } from '../openai/fixtures/dialect.ts'
import { call, greedy, linesOf, messages, tools } from './fixtures/answers.ts'

/** The client's types have dates and maps where it passes the texts and objects of JSON on. */
type Sent<Official> = {
  [Key in keyof Official]: Official[Key] extends Date
    ? string
    : Official[Key] extends Map<string, unknown>
      ? object
      : Official[Key]
}

// The types of the official client's results: no field of them may be missing here. A model that is listed has no time to
// expire, and one that is loaded none of its change; the client has one type for both.
export type Checked = [
  Extends<Sent<ChatResponse>, Mutable<OllamaChatEnd>>,
  Extends<Sent<GenerateResponse>, Mutable<Required<Pick<OllamaGenerateEnd, 'context'>> & OllamaGenerateEnd>>,
  Extends<Partial<Sent<ChatResponse>>, Mutable<OllamaChatLine>>,
  Extends<Message, Mutable<OllamaChatEnd['message']>>,
  Extends<ToolCall, Mutable<NonNullable<OllamaChatEnd['message']['tool_calls']>[number]>>,
  Extends<Omit<Sent<ModelResponse>, 'expires_at' | 'size_vram'>, Mutable<OllamaModel>>,
  Extends<Sent<ShowResponse>, Mutable<OllamaShow>>,
  Extends<EmbedResponse, Mutable<OllamaEmbedResponse>>,
]

describe('the lines of an answer', () => {
  it('match their schema: thoughts, words, a whole call, and an end with the same figures as one body', async () => {
    const reply = () => `<think>Hm.</think>I look. ${call}`
    const body = { messages, tools, options: { ...greedy, num_predict: 200 } }
    const lines = await linesOf('/api/chat', ollamaChatLineSchema, body, { reply })
    const kinds = lines.map(({ done, message: { thinking, tool_calls: calls } }) =>
      done ? 'end' : calls ? 'call' : thinking ? 'thought' : 'words',
    )
    expect(kinds.filter((kind, place) => kind !== kinds[place - 1])).toEqual([
      'thought',
      'words',
      'call',
      'end',
    ])
    expect(kinds.filter((kind) => kind === 'call')).toHaveLength(1)
    await using app = createTestApp({ reply })
    const whole = ollamaChatEndSchema.parse(
      await (await app.post('/api/chat', { model: 'test', ...body, stream: false })).json(),
    )
    const joined = {
      role: 'assistant',
      content: lines.map(({ message }) => message.content).join(''),
      thinking: lines.map(({ message }) => message.thinking ?? '').join(''),
      tool_calls: lines.flatMap(({ message }) => message.tool_calls ?? []),
    }
    const withoutIds = (message: object) => JSON.stringify(message).replace(/"call_\w+"/g, '""')
    expect(withoutIds(whole.message)).toBe(withoutIds(joined))
    const last = lines.at(-1) as OllamaChatEnd
    expect([last.eval_count, last.prompt_eval_count]).toEqual([whole.eval_count, whole.prompt_eval_count])
  })

  it('of a text match their schema, with log probabilities and without', async () => {
    for (const logprobs of [true, false])
      for (const raw of [true, false]) {
        const body = { prompt: 'Hi', raw, logprobs, options: { ...greedy, num_predict: 8 } }
        const lines = await linesOf('/api/generate', ollamaGenerateLineSchema, body, {})
        const last = ollamaGenerateEndSchema.parse(lines.at(-1))
        expect(last).toMatchObject({ done_reason: 'length', eval_count: 8, response: '' })
        expect(last.context === undefined).toBe(raw)
        expect(lines.flatMap((line) => line.logprobs ?? [])).toHaveLength(logprobs ? 8 : 0)
      }
  })

  it('come without text in silence, and end with one that has an error when the model fails', async () => {
    const paused = Promise.withResolvers<void>()
    let steps = 0
    await using app = createTestApp({
      reply: () => 'Paris, the city',
      config: { ssePingIntervalMs: 20 },
      async beforeStep() {
        steps += 1
        if (steps === 3) await paused.promise
        if (steps === 5) throw new Error('A secret of the server')
      },
    })
    const response = await app.post('/api/chat', { model: 'test:latest', messages })
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    while (!text.includes('"content":""')) text += (await reader.read()).value
    paused.resolve()
    for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value
    const lines = text.trimEnd().split('\n')
    for (const line of lines.slice(0, -1))
      expect(ollamaChatLineSchema.parse(JSON.parse(line))).toMatchObject({ model: 'test', done: false })
    expect(ollamaErrorSchema.strict().parse(JSON.parse(lines.at(-1)!)).error).toContain('unexpected error')
    expect(text).not.toContain('secret')
  })

  it('stop the engine when the client goes', async () => {
    await using app = createTestApp({ stepDelayMs: 1 })
    const response = await app.post('/api/generate', { model: 'test', prompt: 'Hi' })
    const reader = response.body!.getReader()
    await reader.read()
    await reader.cancel()
    const figures = async () => (await app.get('/metrics')).text()
    await expect.poll(figures).toContain('petals_chat_sessions{model="test",state="leased"} 0')
    expect(app.engine.steps).toBeLessThan(1_000)
  })
})
