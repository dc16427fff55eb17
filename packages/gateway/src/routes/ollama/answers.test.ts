import {
  type OllamaChatEnd,
  ollamaChatEndSchema,
  type OllamaChatLine,
  ollamaChatLineSchema,
  type OllamaEmbedResponse,
  ollamaErrorSchema,
  ollamaPsSchema,
  type OllamaGenerateEnd,
  ollamaGenerateEndSchema,
  ollamaGenerateLineSchema,
  type OllamaModel,
  type OllamaShow,
} from '@petals-chat/api'
import { createJinjaChatTemplate } from '@petals-chat/engine'
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
import type { z } from 'zod'
import { createTestApp, type TestAppOptions } from '../openai/fixtures/test-app.ts'

/** Compiles only if `Own` is assignable to `Official`. */
type Extends<Official, Own extends Official> = Own
type Mutable<Value> = Value extends readonly (infer Item)[]
  ? Mutable<Item>[]
  : Value extends object
    ? { -readonly [Key in keyof Value]: Mutable<Exclude<Value[Key], undefined>> }
    : Value
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

const messages = [{ role: 'user', content: 'What is the capital of France?' }]
const call = '<tool_call>{"name": "weather", "arguments": {"city": "Paris"}}</tool_call>'
const tools = [
  {
    type: 'function',
    function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
  },
]
const greedy = { temperature: 0 }

/** The lines of a streamed answer, each checked against its schema. */
async function linesOf<Line>(path: string, schema: z.ZodType<Line>, body: object, options: TestAppOptions) {
  await using app = createTestApp(options)
  const response = await app.post(path, { model: 'test', options: greedy, ...body })
  expect(response.headers.get('content-type')).toBe('application/x-ndjson')
  const text = await response.text()
  expect(text.endsWith('\n')).toBe(true)
  return text
    .slice(0, -1)
    .split('\n')
    .map((line) => schema.parse(JSON.parse(line)))
}

/** The prompt that the model reads. */
async function promptOf(path: string, body: object): Promise<string> {
  let seen = ''
  await using app = createTestApp({ reply: (prompt) => ((seen = prompt), 'ok') })
  const response = await app.post(path, { stream: false, ...body })
  expect(response.status, await response.text()).toBe(200)
  return seen
}

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

describe('the prompt', () => {
  it('has the system prompt, and results of tools after the calls that they answer', async () => {
    const asked = [
      { function: { name: 'weather', arguments: { city: 'Paris' } } },
      { function: { name: 'time', arguments: {} } },
    ]
    const prompt = await promptOf('/api/chat', {
      messages: [
        { role: 'system', content: 'Be brief.' },
        ...messages,
        { role: 'assistant', content: '', thinking: 'Secret', tool_calls: asked },
        { role: 'tool', content: 'noon', tool_name: 'time' },
        { role: 'tool', content: 'rain' },
      ],
      tools,
    })
    const places = ['Be brief.', 'capital of France', '"Paris"', 'noon', 'rain'].map((text) =>
      prompt.indexOf(text),
    )
    expect(places).toEqual(places.toSorted((a, b) => a - b))
    expect(places[0]).toBeGreaterThan(-1)
    expect(prompt).not.toContain('Secret')
    expect(await promptOf('/api/generate', { prompt: 'Hi', system: 'Be kind.' })).toContain('Be kind.')
  })

  it('reads control tokens of a client as text, in a context too', async () => {
    await using app = createTestApp({ reply: () => 'Well. <|end|>' })
    const post = async (body: object) =>
      ollamaGenerateEndSchema.parse(
        await (await app.post('/api/generate', { model: 'test', stream: false, ...body })).json(),
      )
    const first = await post({ prompt: 'Say <|end|>', options: greedy })
    const second = await post({ prompt: 'And <|end|>', context: first.context, options: greedy })
    const controls = second.context!.filter((token) => token > 255)
    const plain = await post({ prompt: 'Say' })
    const next = await post({ prompt: 'And', context: plain.context })
    expect(controls).toEqual(next.context!.filter((token) => token > 255))
  })
})

describe('a context with another system message', () => {
  const turn = '<|{{ m.role }}|>{{ m.content }}<|end|>'
  const strict =
    "{% for m in messages %}{% if m.role == 'system' and not loop.first %}{{ raise_exception('System first') }}{% endif %}" +
    turn +
    '{% endfor %}<|assistant|>'
  const hoists =
    "{% for m in messages if m.role == 'system' %}top: {{ m.content }}<|end|>{% endfor %}" +
    "{% for m in messages if m.role != 'system' %}" +
    turn +
    '{% endfor %}<|assistant|>'
  const anywhere = '{% for m in messages %}' + turn + '{% endfor %}<|assistant|>'

  it.each([
    ['in its own place', anywhere, '<|system|>Be kind.<|end|><|user|>And?<|end|>'],
    [
      'before the words of the user, where the template refuses it',
      strict,
      '<|user|>Be kind.\n\nAnd?<|end|>',
    ],
    ['before the words of the user, where it would be lost', hoists, '<|user|>Be kind.\n\nAnd?<|end|>'],
  ])('has it %s', async (_where, template, expected) => {
    const prompts: string[] = []
    const chatTemplate = createJinjaChatTemplate({ template, bosText: '', eosText: '' })
    await using app = createTestApp({ chatTemplate, reply: (prompt) => (prompts.push(prompt), 'Well.') })
    const post = async (body: object) =>
      ollamaGenerateEndSchema.parse(
        await (await app.post('/api/generate', { model: 'test', stream: false, ...body })).json(),
      )
    const { context } = await post({ prompt: 'Hi' })
    await post({ prompt: 'And?', system: 'Be kind.', context })
    expect(prompts.at(-1)).toBe(`<s><|user|>Hi<|end|><|assistant|>Well.<|end|>${expected}`)
  })
})

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
