import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Anthropic from '@anthropic-ai/sdk'
import { freePort } from '@petals-chat/engine/testing'
import { type ChatRequest, Ollama } from 'ollama'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LlamaServer } from './support/llama-server.ts'
import { type PetalsChat, startPetalsChat } from './support/petals-chat.ts'

const messages = [{ role: 'user' as const, content: 'What is the capital of France?' }]
const capital = 'The capital of France is Paris.'
const schema = {
  type: 'object',
  properties: { city: { enum: ['Paris', 'Rome'] } },
  required: ['city'],
  additionalProperties: false,
}
const weather = {
  name: 'weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
}
/** A grammar that makes the model think first. */
const thinking = String.raw`root ::= "<think>\nHm.\n</think>\n\nParis."`

const cities = ['Rome', 'Madrid']
/** A dialogue that shows the model how to call: it is small. */
const calls: OpenAI.ChatCompletionMessageParam[] = [
  ...cities.flatMap((city): OpenAI.ChatCompletionMessageParam[] => [
    { role: 'user', content: `What is the weather in ${city}?` },
    {
      role: 'assistant',
      content: null,
      tool_calls: [
        {
          id: `call_${city}`,
          type: 'function',
          function: { name: 'weather', arguments: JSON.stringify({ city }) },
        },
      ],
    },
    { role: 'tool', tool_call_id: `call_${city}`, content: 'sunny' },
  ]),
  { role: 'user', content: 'What is the weather in Paris?' },
]

/** The program in front of a server of llama.cpp, which computes the default model. */
describe('a model of a llama.cpp server', () => {
  let folder: string
  let server: LlamaServer
  let front: PetalsChat
  let openai: OpenAI
  let anthropic: Anthropic
  let ollama: Ollama
  const asked = { model: 'lab', messages, temperature: 0, max_tokens: 24 }

  beforeAll(async () => {
    server = new LlamaServer(await freePort())
    await server.start()
    folder = await mkdtemp(path.join(tmpdir(), 'llama-server-'))
    await writeFile(
      path.join(folder, 'petals-chat.yaml'),
      `models: [{ id: lab, engine: upstream, baseUrl: '${server.url}/v1', models: auto, healthIntervalMs: 100, retries: 0 }]\n`,
    )
    front = await startPetalsChat({ cwd: folder, untilReady: false })
    openai = new OpenAI({ baseURL: `${front.url}/v1`, apiKey: 'any', maxRetries: 0 })
    anthropic = new Anthropic({ baseURL: front.url, apiKey: 'any', maxRetries: 0 })
    ollama = new Ollama({ host: front.url })
  })
  afterAll(async () => {
    await front[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  })

  async function stateOf(): Promise<string> {
    return ((await openai.models.retrieve('lab')) as unknown as { readonly state: string }).state
  }

  it('is found, with its context', async () => {
    await expect.poll(stateOf).toBe('ready')
    const { data } = await openai.models.list()
    expect(data).toHaveLength(1)
    expect(data[0]).toMatchObject({ id: expect.stringContaining('SmolLM2') as string, context_length: 2048 })
  })

  it('answers in the dialect of chat completions, with log probabilities and the usage of the server', async () => {
    const whole = await openai.chat.completions.create({ ...asked, logprobs: true, top_logprobs: 2 })
    expect(whole.choices[0]).toMatchObject({ message: { content: capital }, finish_reason: 'stop' })
    const { content: tokens } = whole.choices[0]!.logprobs!
    expect(tokens!.map(({ token }) => token).join('')).toContain(capital)
    expect(tokens![0]!.top_logprobs).toHaveLength(2)
    expect(whole.usage).toMatchObject({ prompt_tokens: 16, completion_tokens: 8 })
    const { choices, usage } = await openai.chat.completions
      .stream({ ...asked, stream_options: { include_usage: true } })
      .finalChatCompletion()
    expect(choices[0]!.message.content).toBe(capital)
    expect(usage).toMatchObject({ prompt_tokens: 16, completion_tokens: 8 })
    const text = await openai.completions.create({
      model: 'lab',
      temperature: 0,
      prompt: 'The capital of France is',
      max_tokens: 4,
      logprobs: 1,
    })
    expect(text.choices[0]).toMatchObject({
      text: expect.stringContaining('Paris') as string,
      finish_reason: 'length',
    })
    expect(text.choices[0]!.logprobs!.tokens).toHaveLength(4)
  })

  it('answers in the dialects of responses, Anthropic and Ollama', async () => {
    const response = await openai.responses
      .stream({ model: 'lab', input: messages, temperature: 0, max_output_tokens: 24 })
      .finalResponse()
    expect(response).toMatchObject({
      status: 'completed',
      output_text: capital,
      usage: { input_tokens: 16, output_tokens: 8 },
    })
    // This API's models think only if they are asked to.
    const thinks = { type: 'enabled' as const, budget_tokens: 1024 }
    const message = await anthropic.messages
      .stream({ ...asked, max_tokens: 1100, thinking: thinks })
      .finalMessage()
    expect(message).toMatchObject({
      content: [{ type: 'text', text: capital }],
      stop_reason: 'end_turn',
      usage: { output_tokens: 8 },
    })
    const parts: string[] = []
    const options = { temperature: 0, num_predict: 24 }
    for await (const part of await ollama.chat({ model: 'lab', messages, stream: true, options })) {
      parts.push(part.message.content)
      if (part.done) expect(part).toMatchObject({ done_reason: 'stop', prompt_eval_count: 16, eval_count: 8 })
    }
    expect(parts.join('')).toBe(capital)
    expect(parts.length).toBeGreaterThan(5)
  })

  it('shows its thoughts in every dialect', async () => {
    const thought = { ...asked, grammar: thinking } as OpenAI.ChatCompletionCreateParamsNonStreaming
    const { choices } = await openai.chat.completions.create(thought)
    expect(choices[0]!.message).toMatchObject({ content: 'Paris.', reasoning_content: 'Hm.\n' })
    const stream = openai.chat.completions.stream({ ...thought, stream: true })
    expect((await stream.finalChatCompletion()).choices[0]!.message).toMatchObject({ content: 'Paris.' })
  })

  it('keeps to a schema in every dialect', async () => {
    const [chat, response, own] = await Promise.all([
      openai.chat.completions.create({
        ...asked,
        response_format: { type: 'json_schema', json_schema: { name: 'city', schema } },
      }),
      openai.responses.create({
        model: 'lab',
        input: messages,
        temperature: 0,
        text: { format: { type: 'json_schema', name: 'city', schema } },
      }),
      ollama.chat({ model: 'lab', messages, format: schema, options: { temperature: 0 } }),
    ])
    const texts = [chat.choices[0]!.message.content!, response.output_text, own.message.content]
    expect(texts.map((text) => JSON.parse(text) as unknown)).toEqual(texts.map(() => ({ city: 'Paris' })))
  })

  it('calls functions in every dialect', async () => {
    const tools = [{ type: 'function' as const, function: weather }]
    const ask = { ...asked, messages: calls, tools, tool_choice: 'required' as const, max_tokens: 60 }
    const whole = await openai.chat.completions.create(ask)
    const streamed = await openai.chat.completions.stream({ ...ask, stream: true }).finalChatCompletion()
    for (const { choices } of [whole, streamed])
      expect(choices[0]).toMatchObject({
        finish_reason: 'tool_calls',
        message: { tool_calls: [{ function: { name: 'weather', arguments: '{"city": "Paris"}' } }] },
      })
    const response = await openai.responses.create({
      model: 'lab',
      temperature: 0,
      input: [
        ...cities.flatMap((city): OpenAI.Responses.ResponseInputItem[] => [
          { role: 'user', content: `What is the weather in ${city}?` },
          { type: 'function_call', call_id: city, name: 'weather', arguments: JSON.stringify({ city }) },
          { type: 'function_call_output', call_id: city, output: 'sunny' },
        ]),
        { role: 'user', content: 'What is the weather in Paris?' },
      ],
      tools: [{ type: 'function', ...weather, strict: false }],
    })
    expect(response.output.at(-1)).toMatchObject({
      type: 'function_call',
      name: 'weather',
      arguments: '{"city": "Paris"}',
    })
    const message = await anthropic.messages.create({
      ...asked,
      max_tokens: 1100,
      thinking: { type: 'enabled', budget_tokens: 1024 },
      messages: [
        ...cities.flatMap((city): Anthropic.MessageParam[] => [
          { role: 'user', content: `What is the weather in ${city}?` },
          { role: 'assistant', content: [{ type: 'tool_use', id: city, name: 'weather', input: { city } }] },
          { role: 'user', content: [{ type: 'tool_result', tool_use_id: city, content: 'sunny' }] },
        ]),
        { role: 'user', content: 'What is the weather in Paris?' },
      ],
      tools: [{ name: 'weather', input_schema: { ...weather.parameters, type: 'object' } }],
    })
    expect(message).toMatchObject({
      stop_reason: 'tool_use',
      content: [{ type: 'tool_use', name: 'weather', input: { city: 'Paris' } }],
    })
    const own = await ollama.chat({
      model: 'lab',
      options: { temperature: 0, num_predict: 60 },
      messages: [
        ...cities.flatMap((city) => [
          { role: 'user', content: `What is the weather in ${city}?` },
          {
            role: 'assistant',
            content: '',
            tool_calls: [{ function: { name: 'weather', arguments: { city } } }],
          },
          { role: 'tool', content: 'sunny', tool_name: 'weather' },
        ]),
        { role: 'user', content: 'What is the weather in Paris?' },
      ],
      tools: [{ type: 'function', function: { ...weather, description: '' } }],
    } as ChatRequest & { stream?: false })
    expect(own.message.tool_calls).toMatchObject([
      { function: { name: 'weather', arguments: { city: 'Paris' } } },
    ])
  })

  it('takes what only llama.cpp knows, and says that a prompt is too long', async () => {
    const mirostat = { ...asked, mirostat: 2 } as OpenAI.ChatCompletionCreateParamsNonStreaming
    expect((await openai.chat.completions.create(mirostat)).choices[0]!.message.content).not.toBe('')
    const long = [{ role: 'user' as const, content: 'a b c d '.repeat(600) }]
    await expect(openai.chat.completions.create({ ...asked, messages: long })).rejects.toMatchObject({
      status: 400,
      code: 'context_length_exceeded',
    })
  })

  it('stops when the client stops', async () => {
    const body = { ...asked, max_tokens: 1500, ignore_eos: true, stream: true } as const
    for await (const chunk of await openai.chat.completions.create(body))
      if (chunk.choices[0]?.delta.content) break
    await expect.poll(() => server.isWorking()).toBe(false)
  })

  it('is named when its server is killed in the middle of an answer, and found again', async () => {
    const body = { ...asked, max_tokens: 1500, ignore_eos: true, stream: true } as const
    const read = async () => {
      let text = ''
      for await (const chunk of await openai.chat.completions.create(body)) {
        if (text === '' && chunk.choices[0]?.delta.content) await server.kill()
        text += chunk.choices[0]?.delta.content ?? ''
      }
    }
    await expect(read()).rejects.toThrow(
      /The server of the model 'lab\/.*' \(127\.0\.0\.1:\d+\) closed the connection in the middle of an answer/,
    )
    await expect.poll(stateOf).toBe('unavailable')
    await expect(openai.chat.completions.create(asked)).rejects.toMatchObject({ status: 503 })
    await server.start()
    await expect.poll(stateOf).toBe('ready')
    expect((await openai.chat.completions.create(asked)).choices[0]!.message.content).toBe(capital)
  })
})
