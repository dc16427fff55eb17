import {
  errorSchema,
  inputItemListSchema,
  type ResponseBody,
  type ResponseEvent,
  responseEventSchema,
  responseSchema,
  type ResponseUsage,
} from '@petals-chat/api'
import type OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import { asCaller, TestCallers } from '../../fixtures/test-callers.ts'
import { createTestApp, type TestAppOptions } from '../openai/fixtures/test-app.ts'

/** Compiles only if `Own` is assignable to `Official`. */
type Extends<Official, Own extends Official> = Own
type Mutable<Value> = Value extends readonly (infer Item)[]
  ? Mutable<Item>[]
  : Value extends object
    ? { -readonly [Key in keyof Value]: Mutable<Exclude<Value[Key], undefined>> }
    : Value

/** What a response repeats of its request is not checked, and the client itself adds `output_text`. */
type Repeated = 'tools' | 'tool_choice' | 'text' | 'reasoning' | 'output_text' | 'user' | 'usage'
type WithoutBody<Event> = Event extends { response: unknown } ? Omit<Event, 'response'> : Event

// The types of the official client's results: no field of them may be missing here.
export type Checked = [
  Extends<Omit<OpenAI.Responses.Response, Repeated>, Omit<Mutable<ResponseBody>, Repeated>>,
  Extends<OpenAI.Responses.ResponseUsage, Mutable<ResponseUsage>>,
  Extends<WithoutBody<OpenAI.Responses.ResponseStreamEvent>, WithoutBody<Mutable<ResponseEvent>>>,
]

const path = '/v1/responses'
const ask = { model: 'test', temperature: 0, input: 'What is the capital of France?' }
const call = '<tool_call>{"name": "weather", "arguments": {"city": "Paris"}}</tool_call>'
const weather = {
  type: 'function',
  name: 'weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } } },
}
const patch = { type: 'custom', name: 'apply_patch', description: 'Changes files.' }

/** The events in the text of a stream, each checked against its schema, its name and its number. */
function eventsIn(text: string): readonly ResponseEvent[] {
  const frames = text.split('\n\n').filter((frame) => frame !== '' && !frame.startsWith(':'))
  return frames.map((frame, place) => {
    const [, name, data] = /^event: ([\w.]+)\ndata: (.+)$/.exec(frame)!
    const event = responseEventSchema.parse(JSON.parse(data!))
    expect([event.type, event.sequence_number]).toEqual([name, place])
    return event
  })
}

async function eventsOf(body: object, options: TestAppOptions = {}): Promise<readonly ResponseEvent[]> {
  await using app = createTestApp(options)
  const response = await app.post(path, { ...ask, stream: true, ...body })
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/)
  return eventsIn(await response.text())
}

async function responseOf(body: object, options: TestAppOptions = {}): Promise<ResponseBody> {
  await using app = createTestApp(options)
  const response = await app.post(path, { ...ask, ...body })
  const json: unknown = await response.json()
  expect(response.status, JSON.stringify(json)).toBe(200)
  return responseSchema.parse(json)
}

/** The prompt that the model reads. */
async function promptOf(body: object, options: TestAppOptions = {}): Promise<string> {
  let seen = ''
  await responseOf(body, { reply: (prompt) => ((seen = prompt), 'ok'), ...options })
  return seen
}

async function refusal(body: object, options: TestAppOptions = {}) {
  await using app = createTestApp(options)
  const response = await app.post(path, { ...ask, ...body })
  const { error } = errorSchema.parse(await response.json())
  return { status: response.status, ...error }
}

describe('a streamed response', () => {
  it('has a begin, its items one after the other, and an end', async () => {
    const reply = () => `<think>Hm.</think>I look. ${call}`
    const events = await eventsOf({ tools: [weather] }, { reply })
    const named = events.map((event) =>
      'output_index' in event ? `${event.type} ${event.output_index}` : event.type,
    )
    expect(named.filter((name, place) => name !== named[place - 1])).toEqual([
      'response.created',
      'response.in_progress',
      ...['reasoning_text', 'output_text'].flatMap((kind, index) =>
        [
          'output_item.added',
          'content_part.added',
          `${kind}.delta`,
          `${kind}.done`,
          'content_part.done',
          'output_item.done',
        ].map((name) => `response.${name} ${index}`),
      ),
      ...[
        'output_item.added',
        'function_call_arguments.delta',
        'function_call_arguments.done',
        'output_item.done',
      ].map((name) => `response.${name} 2`),
      'response.completed',
    ])
    const last = events.at(-1)
    if (last?.type !== 'response.completed') throw new Error('no end')
    const done = events.flatMap((event) => (event.type === 'response.output_item.done' ? [event.item] : []))
    expect(last.response.output).toEqual(done)
    expect(new Set(done.map(({ id }) => id)).size).toBe(3)
  })

  it('ends with the event response.incomplete where the length ended it', async () => {
    const events = await eventsOf({ max_output_tokens: 3 }, { reply: () => 'Paris.' })
    expect(events.at(-1)).toMatchObject({
      type: 'response.incomplete',
      response: { status: 'incomplete', output: [{ status: 'incomplete', content: [{ text: 'Par' }] }] },
    })
  })

  it('pings in silence, and ends with error and response.failed when the model fails', async () => {
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
    const response = await app.post(path, { ...ask, stream: true })
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    while (!text.includes(': ping')) text += (await reader.read()).value
    paused.resolve()
    for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value
    const events = eventsIn(text)
    expect(events.slice(-2)).toMatchObject([
      { type: 'response.output_item.done', item: { status: 'incomplete' } },
      { type: 'response.failed', response: { status: 'failed', error: { code: 'server_error' } } },
    ])
    expect(events.find(({ type }) => type === 'error')).toMatchObject({ error: { type: 'server_error' } })
    expect(text).not.toContain('secret')
    const begun = events[0]
    if (begun?.type !== 'response.created') throw new Error('no begin')
    const kept = responseSchema.parse(await (await app.get(`${path}/${begun.response.id}`)).json())
    expect(kept.status).toBe('failed')
  })
})

describe('tools', () => {
  const grammarReply = () => '{"name": "apply_patch", "arguments": {"input": "*** Begin\\n+hi"}}'

  it('of the kind custom take a text, which comes in an event of its own', async () => {
    const events = await eventsOf(
      { tools: [patch, weather], tool_choice: { type: 'custom', name: 'apply_patch' } },
      { grammarReply },
    )
    expect(events.filter(({ type }) => type.startsWith('response.custom'))).toMatchObject([
      { delta: '*** Begin\n+hi' },
      { input: '*** Begin\n+hi' },
    ])
    const last = events.at(-1)
    if (last?.type !== 'response.completed') throw new Error('no end')
    expect(last.response.output).toMatchObject([
      { type: 'custom_tool_call', name: 'apply_patch', input: '*** Begin\n+hi', status: 'completed' },
    ])
    const used = { ...last.response.output[0]!, status: undefined }
    const result = { type: 'custom_tool_call_output', call_id: 'call_1', output: 'Done!' }
    const prompt = await promptOf({
      tools: [patch],
      input: [{ role: 'user', content: 'Edit' }, { ...used, call_id: 'call_1' }, result],
    })
    expect(prompt).toContain('Done!')
    expect(prompt).toContain('*** Begin')
  })

  it('tell the model the grammar of their text', async () => {
    const format = { type: 'grammar', syntax: 'lark', definition: 'start: "a"+' }
    expect(await promptOf({ tools: [{ ...patch, format }] })).toContain('start: \\"a\\"+')
  })

  it('in groups have their group’s name in the call, and in the prompt only where two groups share a name', async () => {
    const group = (name: string) => ({ type: 'namespace', name, description: '', tools: [weather] })
    const other = { ...weather, name: 'other' }
    const answer = await responseOf(
      { tools: [{ ...group('a'), tools: [weather, other] }, group('b')], tool_choice: 'required' },
      { grammarReply: () => '{"name": "b__weather", "arguments": {"city": "Rome"}}' },
    )
    expect(answer.output).toMatchObject([{ type: 'function_call', name: 'weather', namespace: 'b' }])
    const alone = await responseOf(
      { tools: [group('a')], tool_choice: 'required' },
      { grammarReply: () => '{"name": "weather", "arguments": {"city": "Rome"}}' },
    )
    expect(alone.output).toMatchObject([{ name: 'weather', namespace: 'a' }])
    const calls = [{ type: 'function_call', call_id: 'x', namespace: 'b', name: 'weather', arguments: '{}' }]
    const outputs = [{ type: 'function_call_output', call_id: 'x', output: 'sunny' }]
    const input = [{ role: 'user', content: 'Hi' }, ...calls, ...outputs]
    expect(await promptOf({ tools: [group('a'), group('b')], input })).toContain('b__weather')
  })

  it('have different names in the prompt, however their own and those of their groups are put together', async () => {
    const named = (name: string) => ({ ...weather, name })
    const group = (name: string, ...names: string[]) => ({
      type: 'namespace',
      name,
      description: '',
      tools: names.map(named),
    })
    const tools = [named('x'), group('a', 'x', 'b__x'), named('a__x'), group('a__b', 'x'), named('b__x')]
    const called = async (name: string) => {
      const { output } = await responseOf(
        { tools, tool_choice: 'required' },
        { grammarReply: () => JSON.stringify({ name, arguments: {} }) },
      )
      return output
    }
    expect(await called('x')).toMatchObject([{ name: 'x' }])
    expect((await called('a__x'))[0]).not.toHaveProperty('namespace')
    expect(await called('a__x_2')).toMatchObject([{ namespace: 'a', name: 'x' }])
    expect(await called('a__b__x')).toMatchObject([{ namespace: 'a', name: 'b__x' }])
    expect(await called('a__b__x_2')).toMatchObject([{ namespace: 'a__b', name: 'x' }])
  })

  it('that search at OpenAI are left out, and the response says so', async () => {
    const search = { type: 'web_search', external_web_access: true }
    const seen: string[] = []
    const { tools } = await responseOf(
      { tools: [weather, search] },
      { reply: (prompt) => (seen.push(prompt), 'ok') },
    )
    expect(tools).toMatchObject([{ type: 'function', name: 'weather' }])
    expect(seen[0]).toContain('weather')
    expect(seen[0]).not.toContain('web_search')
  })
})

describe('the prompt of a response', () => {
  it('has one message of each speaker in turn, with instructions first', async () => {
    const prompt = await promptOf({
      instructions: 'Be brief.',
      input: [
        { type: 'message', role: 'developer', content: [{ type: 'input_text', text: 'Be kind.' }] },
        {
          role: 'user',
          content: [
            { type: 'input_text', text: 'Note' },
            { type: 'input_text', text: 'Line' },
          ],
        },
        { role: 'user', content: 'Hello' },
        { type: 'reasoning', id: 'rs_1', summary: [], content: [{ type: 'reasoning_text', text: 'Secret' }] },
        {
          type: 'message',
          role: 'assistant',
          content: [{ type: 'output_text', text: 'Yes.', annotations: [] }],
        },
        { role: 'user', content: 'Go on.' },
      ],
    })
    expect(prompt).toContain('Be brief.\n\nBe kind.')
    expect(prompt).toContain('Note\nLine\n\nHello')
    expect(prompt).toContain('Yes.')
    expect(prompt).not.toContain('Secret')
  })

  const long = [
    { role: 'system', content: 'Be brief.' },
    ...Array.from({ length: 30 }, (_each, index) => [
      { role: 'user', content: `Question ${index} ${'x'.repeat(30)}` },
      { role: 'assistant', content: `Answer ${index}` },
    ]).flat(),
    { role: 'user', content: 'The last.' },
  ]

  it('leaves out the oldest turns with truncation auto, and is refused without', async () => {
    const options = { contextLength: 600 }
    const prompt = await promptOf({ input: long, truncation: 'auto' }, options)
    expect(prompt).toContain('Be brief.')
    expect(prompt).toContain('The last.')
    expect(prompt).toContain('Question 29')
    expect(prompt).not.toContain('Question 0 ')
    expect(await refusal({ input: long }, options)).toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
    })
    const tooLong = { input: 'x'.repeat(700), truncation: 'auto' }
    expect(await refusal(tooLong, options)).toMatchObject({ code: 'context_length_exceeded' })
  })
})

describe('a kept response', () => {
  it('is as unknown to another key as none, by every route', async () => {
    await using app = createTestApp({
      callers: [new TestCallers().add('ann').add('bob')],
      reply: () => 'Hi.',
    })
    const as = (name: string) => ({ headers: { 'content-type': 'application/json', ...asCaller(name) } })
    const made = responseSchema.parse(await (await app.post(path, ask, as('ann'))).json())
    const unknown = 'resp_0000'
    const answers = async (id: string, name: string) => {
      const item = { type: 'item_reference', id: made.output[0]!.id }
      const requests = [
        () => app.get(`${path}/${id}`, as(name)),
        () => app.get(`${path}/${id}/input_items`, as(name)),
        () => app.post(`${path}/${id}/cancel`, {}, as(name)),
        () => app.post(path, { ...ask, previous_response_id: id }, as(name)),
        () => app.post(path, { ...ask, input: [item] }, as(name)),
        () => app.get(`${path}/${id}`, { method: 'DELETE', ...as(name) }),
      ]
      const seen: (readonly [number, string])[] = []
      for (const request of requests) {
        const response = await request()
        seen.push([response.status, (await response.text()).replaceAll(id, unknown)])
      }
      return seen
    }
    const foreign = await answers(made.id, 'bob')
    expect(foreign.map(([status]) => status)).toEqual([404, 404, 404, 400, 400, 404])
    expect(foreign).toEqual(await answers(unknown, 'bob'))
    const own = await answers(made.id, 'ann')
    expect(own.map(([status]) => status)).toEqual([200, 200, 200, 200, 200, 200])
  })
})

describe('a dialogue of kept responses', () => {
  it('may be as long as a body, and an item of it is found by its id in that length', async () => {
    await using app = createTestApp({
      contextLength: 100_000,
      reply: () => 'Hi.',
      config: { maxBodyBytes: 4_000 },
    })
    const make = async (body: object) => {
      const response = await app.post(path, { ...ask, ...body })
      return {
        status: response.status,
        json: (await response.json()) as ResponseBody & { error: { param: string } },
      }
    }
    const text = 'x'.repeat(1_000)
    const first = await make({ input: text })
    const second = await make({ input: text, previous_response_id: first.json.id })
    expect([first.status, second.status]).toEqual([200, 200])
    const third = await make({ previous_response_id: second.json.id })
    expect([third.status, third.json.error.param]).toEqual([400, 'previous_response_id'])
    const made = [first, second, await make({ input: text })]
    const item = ({ json }: (typeof made)[number]) => ({ type: 'item_reference', id: json.output[0]!.id })
    expect((await make({ input: made.slice(0, 1).map(item) })).status).toBe(200)
    const all = await make({ input: made.map(item) })
    expect([all.status, all.json.error.param]).toEqual([400, 'input[2].id'])
  })

  it('counts an item as often as a request names it', async () => {
    await using app = createTestApp({
      contextLength: 100_000,
      reply: () => 'Hi.',
      config: { maxBodyBytes: 20_000 },
    })
    const made = (await (await app.post(path, ask)).json()) as ResponseBody
    const item = { type: 'item_reference', id: made.output[0]!.id }
    const times = (count: number) =>
      app.post(path, { ...ask, input: Array.from({ length: count }, () => item) })
    expect((await times(50)).status).toBe(200)
    const { error } = errorSchema.parse(await (await times(250)).json())
    expect(error.param).toMatch(/^input\[1\d\d\]\.id$/)
    expect(error.message).toContain('server.maxBodyBytes')
  })

  it('keeps items without the fields that are ignored, and under ids of this server', async () => {
    await using app = createTestApp({ contextLength: 100_000, reply: () => 'Hi.' })
    const content = [{ type: 'output_text', text: 'Yes.', annotations: [{ a: 1 }], logprobs: [1] }]
    const call = { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}', parsed_arguments: 'x' }
    const input = [
      { type: 'reasoning', id: 'rs_1', encrypted_content: 'x', content: ['x'], summary: ['x'] },
      { role: 'assistant', id: 'msg_1', content, status: 'completed', end_turn: true },
      { ...call, id: 'fc_1', created_by: 'x' },
      { type: 'web_search_call', id: 'ws_1', action: 'x' },
      { type: 'function_call_output', id: 'fco_1', call_id: 'c', output: 'Done', status: 'completed' },
    ]
    const { id } = (await (await app.post(path, { ...ask, input })).json()) as ResponseBody
    const listed = await (await app.get(`${path}/${id}/input_items?order=asc`)).json()
    const { data } = inputItemListSchema.parse(listed)
    expect(data.map(({ id: _, ...item }) => item)).toEqual([
      { type: 'reasoning', summary: [] },
      {
        type: 'message',
        role: 'assistant',
        content: [{ type: 'output_text', text: 'Yes.', annotations: [] }],
      },
      { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}' },
      { type: 'web_search_call' },
      { type: 'function_call_output', call_id: 'c', output: 'Done' },
    ])
    for (const [place, { id }] of data.entries())
      expect(id).toMatch(new RegExp(`^${input[place]!.id?.slice(0, -1)}[0-9a-f]{32}$`))
    const guessed = await app.post(path, { ...ask, input: [{ type: 'item_reference', id: 'msg_1' }] })
    expect(guessed.status).toBe(400)
    const referred = await app.post(path, { ...ask, input: [{ type: 'item_reference', id: data[1]!.id }] })
    expect(referred.status).toBe(200)
  })
})

describe('what a response repeats', () => {
  it('has every field that Open Responses requires, with the defaults of what the request leaves out', async () => {
    const plain = await responseOf({ tools: [{ type: 'function', name: 'look' }] })
    expect(plain).toMatchObject({
      frequency_penalty: 0,
      presence_penalty: 0,
      max_tool_calls: null,
      text: { verbosity: 'medium' },
      tools: [{ type: 'function', name: 'look', description: null, parameters: null, strict: null }],
    })
    const asked = {
      frequency_penalty: 0.5,
      presence_penalty: -1,
      text: { verbosity: 'low' },
      tools: [weather],
    }
    expect(await responseOf(asked)).toMatchObject(asked)
  })
})

describe('a refused response', () => {
  const deep = JSON.parse(`${'{"a":'.repeat(70)}1${'}'.repeat(70)}`) as object

  it.each([
    [{ input: undefined }, "'input'"],
    [{ input: [] }, "'input'"],
    [{ input: [{ role: 'robot', content: 'Hi' }] }, "'input[0]"],
    [{ input: [{ role: 'user', content: [{ type: 'input_image', image_url: 'x' }] }] }, 'only text'],
    [{ input: [{ type: 'computer_call', call_id: 'x' }] }, 'computer_call'],
    [{ input: [{ type: 'item_reference', id: 'msg_1' }] }, "'msg_1'"],
    [{ wrong: 1 }, "'wrong'"],
    [{ background: true, stream: true }, "'background'"],
    [{ background: true, store: false }, "'background'"],
    [{ conversation: 'conv_1' }, 'previous_response_id'],
    [{ messages: [], max_tokens: 3 }, 'input'],
    [{ tools: [{ type: 'code_interpreter', container: 'x' }] }, 'code_interpreter'],
    [{ tools: [{ type: 'mcp', server_label: 'x', server_url: 'http://127.0.0.1' }] }, 'server_url'],
    [{ tools: [weather, weather] }, "'tools[1].name'"],
    [{ tools: [{ type: 'namespace', name: 'n', tools: [weather, weather] }] }, "'tools[0].tools[1].name'"],
    [{ tool_choice: 'required' }, "'tools'"],
    [{ tool_choice: 'required', tools: [{ type: 'web_search' }] }, 'that the client runs'],
    [{ tool_choice: { type: 'function', name: 'x' }, tools: [weather] }, "'x'"],
    [{ tool_choice: { type: 'web_search' }, tools: [{ type: 'web_search' }] }, "'tool_choice"],
    [{ text: { format: { type: 'json_schema', name: 'x', strict: true, schema: deep } } }, 'text.format'],
    [{ metadata: { a: 1 } }, "'metadata.a'"],
  ])('names the field of %j', async (body, words) => {
    const { status, type, message, param } = await refusal(body)
    expect({ status, type }).toEqual({ status: 400, type: 'invalid_request_error' })
    expect(`${message} ${param}`).toContain(words)
    expect(message).not.toMatch(/response_format|function\.(name|parameters)/)
  })

  it('has the status of its kind', async () => {
    const other = await refusal({ model: 'nothing' }, { specs: [{}, { id: 'two' }] })
    expect(other).toMatchObject({ status: 404, code: 'model_not_found' })
    await using app = createTestApp()
    const unserved = [
      ['GET', '/x/nothing', '/v1/responses/{id}'],
      ['POST', '/compact', 'truncation'],
      ['POST', '/input_tokens', '/v1/tokenize'],
    ] as const
    for (const [method, place, instead] of unserved) {
      const response = await app.get(`${path}${place}`, { method })
      const { error } = errorSchema.parse(await response.json())
      expect([response.status, error.code]).toEqual([404, 'unknown_url'])
      expect(error.message).toContain(instead)
      expect(error.message).not.toContain('/v1/chat/completions')
    }
    expect((await app.get(`${path}/x`, { method: 'POST' })).status).toBe(405)
    for (const query of ['limit=0', 'limit=x', 'order=up', 'after=x']) {
      const { id } = (await (await app.post(path, { ...ask, max_output_tokens: 1 })).json()) as ResponseBody
      expect((await app.get(`${path}/${id}/input_items?${query}`)).status).toBe(400)
      expect((await app.get(`${path}/${id}?stream=true`)).status).toBe(400)
    }
  })
})
