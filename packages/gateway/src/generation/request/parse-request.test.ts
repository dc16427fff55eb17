import { chatRequestSchema, completionRequestSchema, embeddingRequestSchema } from '@petals-chat/api'
import { InvalidRequestError } from '@petals-chat/engine'
import { HonoRequest } from 'hono/request'
import { cpuMs } from '@petals-chat/engine/testing'
import { describe, expect, it } from 'vitest'
import { parseRequest } from './parse-request.ts'

const schemas = {
  chat: chatRequestSchema,
  completion: completionRequestSchema,
  embedding: embeddingRequestSchema,
}
type Kind = keyof typeof schemas

const parse = (kind: Kind, body: string) =>
  parseRequest(new HonoRequest(new Request('http://localhost/', { method: 'POST', body })), schemas[kind])

async function faultOf(kind: Kind, body: string | object) {
  const error: unknown = await parse(kind, typeof body === 'string' ? body : JSON.stringify(body)).catch(
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(InvalidRequestError)
  const { param, reason, message } = error as InvalidRequestError
  return { param, reason, message }
}

const chat = { model: 'm', messages: [{ role: 'user', content: 'Hi' }] }
const withMessage = (message: unknown) => ({
  model: 'm',
  messages: [{ role: 'user', content: 'Hi' }, message],
})
const completion = { model: 'm', prompt: 'Hi' }

type Case = readonly [kind: Kind, body: string | object, param: string | undefined, reason: string]

const numbers: readonly Case[] = [
  ['temperature', -1, 'decimal_below_min_value'],
  ['temperature', 100.5, 'decimal_above_max_value'],
  ['temperature', 1e308, 'decimal_above_max_value'],
  ['temperature', '1', 'invalid_type'],
  ['temperature', [], 'invalid_type'],
  ['temperature', {}, 'invalid_type'],
  ['temperature', true, 'invalid_type'],
  ['top_p', -0.1, 'decimal_below_min_value'],
  ['top_p', 1.1, 'decimal_above_max_value'],
  ['top_k', -2, 'integer_below_min_value'],
  ['top_k', 1.5, 'invalid_type'],
  ['min_p', 2, 'decimal_above_max_value'],
  ['repetition_penalty', 0, 'decimal_below_min_value'],
  ['repetition_penalty', 1e308, 'decimal_above_max_value'],
  ['presence_penalty', -2.5, 'decimal_below_min_value'],
  ['frequency_penalty', 2.5, 'decimal_above_max_value'],
  ['seed', 1.5, 'invalid_type'],
  ['seed', '7', 'invalid_type'],
  ['n', 0, 'integer_below_min_value'],
  ['n', 129, 'integer_above_max_value'],
  ['n', 1e308, 'integer_above_max_value'],
  ['max_tokens', -3, 'integer_below_min_value'],
  ['max_tokens', 0, 'invalid_value'],
  ['max_tokens', '5', 'invalid_type'],
  ['max_completion_tokens', 0, 'invalid_value'],
  ['top_logprobs', 21, 'integer_above_max_value'],
  ['logprobs', 'yes', 'invalid_type'],
  ['logprobs', 21, 'integer_above_max_value'],
  ['stream', 'true', 'invalid_type'],
  ['model', 1, 'invalid_type'],
].map(([param, value, reason]) => [
  'chat',
  { ...chat, [param as string]: value },
  param as string,
  reason as string,
])

const shapes: readonly Case[] = [
  ['chat', {}, 'messages', 'missing_required_parameter'],
  ['chat', { model: 'm' }, 'messages', 'missing_required_parameter'],
  ['chat', { model: 'm', messages: [] }, 'messages', 'empty_array'],
  ['chat', { model: 'm', messages: 'Hi' }, 'messages', 'invalid_type'],
  ['chat', withMessage(null), 'messages[1]', 'invalid_type'],
  ['chat', withMessage({ content: 'Hi' }), 'messages[1].role', 'missing_required_parameter'],
  ['chat', withMessage({ role: 'function', content: 'Hi' }), 'messages[1].role', 'invalid_value'],
  ['chat', withMessage({ role: 'user' }), 'messages[1].content', 'missing_required_parameter'],
  ['chat', withMessage({ role: 'user', content: 1 }), 'messages[1].content', 'invalid_type'],
  ['chat', withMessage({ role: 'user', content: [] }), 'messages[1].content', 'empty_array'],
  [
    'chat',
    withMessage({ role: 'user', content: [{ type: 'text' }] }),
    'messages[1].content[0].text',
    'missing_required_parameter',
  ],
  [
    'chat',
    withMessage({ role: 'tool', content: 'x' }),
    'messages[1].tool_call_id',
    'missing_required_parameter',
  ],
  ['chat', { ...chat, stop: Array(101).fill('a') }, 'stop', 'array_above_max_length'],
  ['chat', { ...chat, stop: 'a'.repeat(1001) }, 'stop', 'string_above_max_length'],
  ['chat', { ...chat, stop: [1] }, 'stop[0]', 'invalid_type'],
  ['chat', { ...chat, stop: 1 }, 'stop', 'invalid_type'],
  ['chat', { ...chat, logit_bias: { x: 1 } }, 'logit_bias.x', 'invalid_value'],
  ['chat', { ...chat, logit_bias: { 5: 101 } }, 'logit_bias.5', 'decimal_above_max_value'],
  ['chat', { ...chat, logit_bias: 1 }, 'logit_bias', 'invalid_type'],
  ['chat', { ...chat, logit_bias: [[1, true]] }, 'logit_bias[0][1]', 'invalid_value'],
  ['chat', { ...chat, response_format: { type: 'xml' } }, 'response_format.type', 'invalid_value'],
  [
    'chat',
    { ...chat, tools: [{ type: 'function', function: { name: 'a b' } }] },
    'tools[0].function.name',
    'invalid_value',
  ],
  ['chat', { ...chat, tools: [{ type: 'custom' }] }, 'tools[0].type', 'invalid_value'],
  ['chat', { ...chat, tool_choice: 'always' }, 'tool_choice', 'invalid_value'],
  [
    'chat',
    { ...chat, tool_choice: { type: 'function' } },
    'tool_choice.function',
    'missing_required_parameter',
  ],
  ['chat', { ...chat, reasoning_format: 'xml' }, 'reasoning_format', 'invalid_value'],
  ['completion', { model: 'm' }, 'prompt', 'missing_required_parameter'],
  ['completion', { ...completion, prompt: [] }, 'prompt', 'empty_array'],
  ['completion', { ...completion, prompt: [1, 'a'] }, 'prompt[1]', 'invalid_type'],
  ['completion', { ...completion, prompt: [-1] }, 'prompt[0]', 'integer_below_min_value'],
  ['completion', { ...completion, prompt: [[1], [1.5]] }, 'prompt[1][0]', 'invalid_type'],
  ['completion', { ...completion, prompt: { text: 'x' } }, 'prompt', 'invalid_type'],
  ['completion', { ...completion, logprobs: '5' }, 'logprobs', 'invalid_type'],
  ['chat', { ...chat, flux: 1 }, 'flux', 'unknown_parameter'],
  ['completion', { ...completion, flux: null }, 'flux', 'unknown_parameter'],
  ['embedding', { model: 'm', input: 'x', flux: 1 }, 'flux', 'unknown_parameter'],
  ['chat', withMessage({ role: 'user', content: 'x', flux: 1 }), 'messages[1].flux', 'unknown_parameter'],
  [
    'chat',
    withMessage({ role: 'user', content: [{ type: 'text', text: 'x', flux: 1 }] }),
    'messages[1].content[0].flux',
    'unknown_parameter',
  ],
  [
    'chat',
    withMessage({
      role: 'assistant',
      tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '', flux: 1 } }],
    }),
    'messages[1].tool_calls[0].function.flux',
    'unknown_parameter',
  ],
  [
    'chat',
    withMessage({ role: 'user', content: 'x', tool_calls: [] }),
    'messages[1].tool_calls',
    'invalid_type',
  ],
  ['chat', { ...chat, stream_options: { flux: 1 } }, 'stream_options.flux', 'unknown_parameter'],
  ['chat', { ...chat, petals: { flux: 1 } }, 'petals.flux', 'unknown_parameter'],
  [
    'chat',
    { ...chat, stream_options: { continuous_usage_stats: true } },
    'stream_options.continuous_usage_stats',
    'invalid_value',
  ],
  ['embedding', { model: 'm', input: '' }, 'input', 'empty_string'],
  ['embedding', { model: 'm', input: 'x', encoding_format: 'hex' }, 'encoding_format', 'invalid_value'],
]

const bodies: readonly Case[] = [
  ['chat', '', undefined, 'invalid_json'],
  ['chat', '{"model": ', undefined, 'invalid_json'],
  ['chat', '{"temperature": NaN}', undefined, 'invalid_json'],
  ['chat', '[]', undefined, 'invalid_type'],
  ['chat', 'null', undefined, 'invalid_type'],
  ['chat', '"text"', undefined, 'invalid_type'],
  ['chat', JSON.stringify(chat).replace('}]', '}], "temperature": 1e999'), 'temperature', 'invalid_type'],
]

describe('parseRequest', () => {
  it.each([...numbers, ...shapes, ...bodies])(
    '%s %j is refused at %s as %s',
    async (kind, body, param, reason) => {
      expect(await faultOf(kind, body)).toMatchObject({ param, reason })
    },
  )

  it('says in words which value was expected', async () => {
    const messageOf = async (fields: object) => (await faultOf('chat', { ...chat, ...fields })).message
    expect(await messageOf({ temperature: '1' })).toBe(
      "Invalid type for 'temperature': expected a number, but got a string instead.",
    )
    expect(await messageOf({ n: 1.5 })).toBe(
      "Invalid type for 'n': expected an integer, but got the number 1.5 instead.",
    )
    const infinite = JSON.stringify(chat).replace('}]', '}], "temperature": 1e999')
    expect((await faultOf('chat', infinite)).message).toBe(
      "Invalid type for 'temperature': expected a number, but got one that is too large instead.",
    )
    expect(await messageOf({ temperature: 300 })).toBe(
      "Invalid 'temperature': expected a decimal <= 100, but got 300 instead.",
    )
    expect(await messageOf({ stop: 1 })).toBe(
      "Invalid type for 'stop': expected a string or an array, but got a number instead.",
    )
    expect(await messageOf({ stream_options: { include: 1 } })).toBe(
      "Unknown parameter: 'stream_options.include'.",
    )
    expect(await messageOf({ messages: undefined })).toBe("Missing required parameter: 'messages'.")
    expect(await messageOf({ reasoning_format: 'xml' })).toBe(
      "Invalid value for 'reasoning_format': 'xml'. Supported values are: 'none', 'auto', 'deepseek'.",
    )
    expect(await messageOf({ messages: [{ role: 'robot' }] })).toBe(
      "Invalid value for 'messages[0].role': 'robot'. Supported values are: 'system', 'developer', 'user', 'assistant', 'tool'.",
    )
  })

  it.each(['image_url', 'input_audio', 'file'])(
    'refuses content parts of type %s with its own message',
    async (type) => {
      const fault = await faultOf(
        'chat',
        withMessage({ role: 'user', content: [{ type: 'text', text: 'x' }, { type }] }),
      )
      expect(fault.param).toBe('messages[1].content[1].type')
      expect(fault.message).toContain(`"${type}" are not supported: models of this server accept only text`)
    },
  )

  it('does not quote a body that is not JSON', async () => {
    const { message } = await faultOf('chat', '{"messages": [{"content": "my secret" "role"}]}')
    expect(message).toMatch(/could not be parsed as JSON: at position \d+/)
    expect(message).not.toContain('secret')
  })

  it('keeps long values out of messages', async () => {
    const { message } = await faultOf('chat', { ...chat, reasoning_format: 'x'.repeat(10_000) })
    expect(message.length).toBeLessThan(300)
  })

  it('accepts null for every optional field, as OpenAI does', async () => {
    const nulls = Object.keys(chatRequestSchema.shape).filter((field) => !(field in chat))
    const body = { ...chat, ...Object.fromEntries(nulls.map((field) => [field, null])) }
    await expect(parse('chat', JSON.stringify(body))).resolves.toMatchObject(chat)
  })

  it('replaces lone surrogates', async () => {
    const body = '{"model":"m","messages":[{"role":"user","content":"a\\ud800b"}]}'
    const parsed = await parse('chat', body)
    expect(parsed).toEqual({ model: 'm', messages: [{ role: 'user', content: 'a\ufffdb' }] })
  })

  it('refuses fields with the names of object properties', async () => {
    for (const name of ['__proto__', 'constructor', 'toString']) {
      const body = JSON.stringify(chat).replace('{', `{"${name}":{"n":5},`)
      expect(await faultOf('chat', body)).toMatchObject({ param: name, reason: 'unknown_parameter' })
    }
    expect(({} as { n?: number }).n).toBeUndefined()
    expect((await faultOf('chat', { ...chat, ['x'.repeat(100_000)]: 1 })).message.length).toBeLessThan(300)
  })

  it('accepts messages as clients send them back, with all of their empty fields', async () => {
    const answer = {
      role: 'assistant',
      content: 'Hi.',
      refusal: null,
      annotations: [],
      audio: null,
      function_call: null,
      tool_calls: null,
      reasoning_content: 'Hm.',
      parsed: null,
    }
    const call = { id: 'a', type: 'function', index: 0, function: { name: 'f', arguments: '{}' } }
    const messages = [
      { role: 'system', content: [{ type: 'text', text: 'Be kind.', cache_control: { type: 'ephemeral' } }] },
      {
        role: 'user',
        content: [{ type: 'input_text', text: 'Hi' }],
        name: null,
        tool_calls: null,
        id: 'msg_1',
      },
      answer,
      {
        role: 'assistant',
        content: [
          { type: 'refusal', refusal: 'No.' },
          { type: 'output_text', text: ' Sorry.' },
        ],
      },
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', content: '1', tool_call_id: 'a' },
    ]
    const parsed = (await parse('chat', JSON.stringify({ messages }))) as {
      readonly messages: readonly { readonly content: unknown }[]
    }
    expect(parsed.messages[1]!.content).toEqual([{ type: 'text', text: 'Hi' }])
    expect(parsed.messages[3]!.content).toEqual([
      { type: 'text', text: 'No.' },
      { type: 'text', text: ' Sorry.' },
    ])
  })

  it('accepts refusals only in answers', async () => {
    const fault = await faultOf(
      'chat',
      withMessage({ role: 'user', content: [{ type: 'refusal', refusal: 'No.' }] }),
    )
    expect(fault.param).toBe('messages[1].content[0].type')
  })

  it('refuses keys of logit_bias that would reach a prototype', async () => {
    const parsed = await parse(
      'chat',
      JSON.stringify(chat).replace('{', '{"logit_bias":{"__proto__":{"x":1}},'),
    )
    expect(Object.keys((parsed as { logit_bias: object }).logit_bias)).toEqual([])
    expect(await faultOf('chat', { ...chat, logit_bias: { constructor: 1 } })).toMatchObject({
      param: 'logit_bias.constructor',
    })
  })

  it('answers a hostile body at once', async () => {
    const hostile = [
      JSON.stringify({ ...chat, stop: Array.from({ length: 10_000 }, () => 'x') }),
      JSON.stringify({ ...chat, tools: Array.from({ length: 10_000 }, () => ({})) }),
      `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
    ]
    for (const body of hostile) {
      const started = cpuMs()
      await expect(parse('chat', body)).rejects.toThrow(InvalidRequestError)
      expect(cpuMs() - started).toBeLessThan(2500)
    }
  })
})
