import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestGateway, type TestGateway } from '../../packages/gateway/src/fixtures/test-gateway.ts'
import { launchBrowser, openPage } from './support/browser.ts'
import { ask, finishedAnswer, settle } from './support/chat-page.ts'
import { petalsChat, startPetalsChat, type PetalsChat } from './support/petals-chat.ts'

const answer = 'Paris, the city of light. 🗼'
const call = '<tool_call>{"name": "weather", "arguments": {"city": "Paris"}}</tool_call>'
const secret = 'sk-upstream-key-1234567890'
const messages = [{ role: 'user' as const, content: 'What is the capital of France?' }]
const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }

function reply(prompt: string): string {
  if (prompt.includes('sunny')) return 'It is sunny.'
  if (prompt.includes('"weather"')) return `I look. ${call}`
  if (prompt.includes('forever')) return 'and on '.repeat(5_000)
  return prompt.includes('think') ? `<think>Hm.</think>${answer}` : answer
}

/** A second Petals Chat, whose model says what the test wants. */
const startSecond = (port = 0): TestGateway =>
  createTestGateway({
    reply,
    contextLength: 32_768,
    config: { port },
    specs: [{ id: 'org/second', generation: { do_sample: false, max_new_tokens: 20_000 } }],
    beforeStep: () => new Promise((resolve) => setImmediate(resolve)),
  })

/** The program, with models of a second Petals Chat, and of a third one that takes the place of a model that is gone. */
describe('models of another server', () => {
  let folder: string
  let second: TestGateway
  let third: TestGateway
  let port: number
  let front: PetalsChat
  let openai: OpenAI
  let anthropic: Anthropic

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'upstream-'))
    second = startSecond()
    port = (await second.gateway.listen()).port
    third = createTestGateway({ reply: () => 'I stand in.', specs: [{ id: 'third' }] })
    const { url } = await third.gateway.listen()
    await writeFile(
      path.join(folder, 'petals-chat.yaml'),
      `
models:
  - id: big
    engine: upstream
    baseUrl: http://127.0.0.1:${port}/v1
    model: org/second
    apiKey: \${UPSTREAM_KEY}
    healthIntervalMs: 100
  - { id: safe, engine: upstream, baseUrl: 'http://127.0.0.1:${port}/v1', model: org/second, fallback: third }
  - { id: third, engine: upstream, baseUrl: '${url}/v1' }
  - { id: lab, engine: upstream, baseUrl: 'http://127.0.0.1:${port}/v1', models: auto, healthIntervalMs: 100 }
`,
    )
    front = await startPetalsChat({
      cwd: folder,
      env: { UPSTREAM_KEY: secret, PETALS_CHAT_LOG_LEVEL: 'debug' },
      untilReady: false,
    })
    openai = new OpenAI({ baseURL: `${front.url}/v1`, apiKey: 'any', maxRetries: 0 })
    anthropic = new Anthropic({ baseURL: front.url, apiKey: 'any', maxRetries: 0 })
  })
  afterAll(async () => {
    await front[Symbol.asyncDispose]()
    await second[Symbol.asyncDispose]()
    await third[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  })

  const read = async (target: string, init?: RequestInit): Promise<Record<string, unknown>> =>
    (await (await fetch(`${front.url}${target}`, init)).json()) as Record<string, unknown>

  it('are listed with their state, those that were found as well', async () => {
    const list = async () => {
      const models: string[] = []
      for await (const { id, ...model } of openai.models.list())
        models.push(`${id} ${String((model as { state?: string }).state)}`)
      return models
    }
    await expect.poll(list).toEqual(['big ready', 'safe ready', 'third ready', 'lab/org/second ready'])
  })

  it("answer OpenAI's client: at once, in a stream, with thoughts, calls, formats and log probabilities", async () => {
    const asked = { model: 'big', temperature: 0, messages }
    const whole = await openai.chat.completions.create({ ...asked, logprobs: true, top_logprobs: 2 })
    expect(whole).toMatchObject({
      model: 'big',
      choices: [{ message: { role: 'assistant', content: answer }, finish_reason: 'stop' }],
    })
    expect(whole.choices[0]!.logprobs!.content!.map(({ token }) => token).join('')).toContain('Paris')
    expect(whole.choices[0]!.logprobs!.content![0]!.top_logprobs).toHaveLength(2)
    expect(whole.usage!.prompt_tokens).toBeGreaterThan(30)
    expect(whole.usage!.completion_tokens).toBeGreaterThan(20)

    const stream = openai.chat.completions.stream({ ...asked, stream_options: { include_usage: true } })
    const { usage, choices } = await stream.finalChatCompletion()
    expect(choices[0]!.message.content).toBe(answer)
    expect(usage!.completion_tokens).toBe(whole.usage!.completion_tokens)

    const thought = await openai.chat.completions.create({
      ...asked,
      messages: [{ role: 'user', content: 'Please think.' }],
    })
    expect(thought.choices[0]!.message).toMatchObject({ content: answer, reasoning_content: 'Hm.' })

    const called = await openai.chat.completions.create({
      ...asked,
      tools: [{ type: 'function', function: { name: 'weather', parameters } }],
    })
    expect(called.choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { content: 'I look. ', tool_calls: [{ function: { name: 'weather' } }] },
    })

    const formed = await openai.chat.completions.create({
      ...asked,
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'city', strict: true, schema: parameters },
      },
    })
    expect(JSON.parse(formed.choices[0]!.message.content!)).toHaveProperty('city')

    const two = await openai.chat.completions.create({ ...asked, n: 2 })
    expect(two.choices.map(({ index, message }) => [index, message.content])).toEqual([
      [0, answer],
      [1, answer],
    ])
    const text = await openai.completions.create({
      model: 'lab',
      prompt: ['A', 'B'],
      max_tokens: 3,
      logprobs: 1,
    })
    expect(text.choices.map(({ logprobs }) => logprobs?.tokens?.length)).toEqual([3, 3])
  })

  it("answer Anthropic's client, with its tools and its helper for streams", async () => {
    const asked = { model: 'big', max_tokens: 100, temperature: 0, messages }
    const stream = anthropic.messages.stream(asked)
    const message = await stream.finalMessage()
    expect(message).toMatchObject({
      model: 'big',
      content: [{ type: 'text', text: answer }],
      stop_reason: 'end_turn',
    })
    expect(message.usage.output_tokens).toBeGreaterThan(20)
    const tools = [{ name: 'weather', input_schema: { ...parameters, type: 'object' as const } }]
    const first = await anthropic.messages.create({ ...asked, tools })
    expect(first.stop_reason).toBe('tool_use')
    const use = first.content.find((block) => block.type === 'tool_use')!
    expect(use).toMatchObject({ name: 'weather', input: { city: 'Paris' } })
    const last = await anthropic.messages.create({
      ...asked,
      tools,
      messages: [
        ...messages,
        { role: 'assistant', content: first.content },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: use.id, content: 'sunny' }] },
      ],
    })
    expect(last.content).toMatchObject([{ type: 'text', text: 'It is sunny.' }])
    const { input_tokens: counted } = await anthropic.messages.countTokens({ model: 'big', messages })
    expect(counted).toBeGreaterThan(5)
  })

  it('answer on the page like all others, with a maximum of tokens as well', async () => {
    const browser = await launchBrowser()
    try {
      await using watched = await openPage(browser, front.url)
      await settle(watched.page, 100)
      await ask(watched.page, 'What is the capital of France?')
      expect(await finishedAnswer(watched.page)).toBe(answer)
      expect(watched.complaints).toEqual([])
    } finally {
      await browser.close()
    }
  })

  it('stop as soon as the client stops', async () => {
    const stream = await openai.chat.completions.create({
      model: 'big',
      stream: true,
      messages: [{ role: 'user', content: 'Write forever.' }],
    })
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break
    await expect
      .poll(async () => (await second.metrics.render()).body)
      .toMatch(/petals_chat_sessions\{model="org\/second",state="leased"\} 0/)
    const { steps } = second.engine
    expect(steps).toBeLessThan(5_000)
    await new Promise((resolve) => setImmediate(resolve))
    expect(second.engine.steps).toBe(steps)
  })

  it('are refused in words where tokens are asked for', async () => {
    const form = new URLSearchParams({ model: 'big', inputs: 'Hi', max_new_tokens: '3' })
    expect(await read('/api/v1/generate', { method: 'POST', body: form })).toMatchObject({
      ok: false,
      traceback: expect.stringContaining("Another server runs the model 'big'") as string,
    })
    const post = (fields: object) => ({ method: 'POST', body: JSON.stringify({ model: 'big', ...fields }) })
    expect(await read('/v1/detokenize', post({ tokens: [72] }))).toMatchObject({ error: { param: 'model' } })
    expect(await read('/v1/tokenize', post({ prompt: 'Hi' }))).toMatchObject({
      count: 3,
      max_model_len: 32_768,
    })
  })

  it('embed texts as their server does', async () => {
    const { data, usage } = await openai.embeddings.create({ model: 'big', input: ['Hi', 'Ho'] })
    expect(data.map(({ embedding }) => Math.hypot(...embedding).toFixed(5))).toEqual(['1.00000', '1.00000'])
    expect(usage.prompt_tokens).toBe(6)
  })

  it('pass on what only their server knows, and say what it refuses', async () => {
    const asked = { model: 'big', messages, min_tokens: 5 } as OpenAI.ChatCompletionCreateParamsNonStreaming
    await expect(openai.chat.completions.create(asked)).rejects.toMatchObject({
      status: 400,
      param: 'min_tokens',
      message: expect.stringMatching(
        /The server of the model 'big' \(127\.0\.0\.1:\d+\) refuses the request: Unsupported parameter: 'min_tokens'/,
      ) as string,
    })
  })

  it('are counted, and their key is nowhere to be seen', async () => {
    const metrics = await (await fetch(`${front.url}/metrics`)).text()
    expect(metrics).toMatch(
      /petals_chat_caller_tokens_total\{caller="anonymous",model="big",kind="completion"\} [1-9]/,
    )
    const { stdout } = await petalsChat(['config', 'print'], { cwd: folder, env: { UPSTREAM_KEY: secret } })
    expect(stdout).toContain('apiKey: "********"')
    const listed = await Promise.all(['/v1/models', '/api/v1/models'].map((target) => read(target)))
    expect(JSON.stringify([front.output(), stdout, listed])).not.toContain(secret)
  })

  it('that are gone are named, have an open substitute, and come back by themselves', async () => {
    await second[Symbol.asyncDispose]()
    const asked = { model: 'big', messages }
    await expect(openai.chat.completions.create(asked)).rejects.toMatchObject({
      status: 503,
      message: expect.stringMatching(
        /The server of the model 'big' \(127\.0\.0\.1:\d+\) can't be reached/,
      ) as string,
    })
    expect(await openai.chat.completions.create({ ...asked, model: 'safe' })).toMatchObject({
      model: 'third',
      choices: [{ message: { content: 'I stand in.' } }],
    })
    const message = await anthropic.messages
      .stream({ model: 'safe', max_tokens: 20, messages })
      .finalMessage()
    expect(message).toMatchObject({ model: 'third', content: [{ text: 'I stand in.' }] })
    await expect
      .poll(() => read('/v1/models/big'))
      .toMatchObject({
        state: 'unavailable',
        state_detail: expect.stringContaining('nothing listens at that address') as string,
      })
    second = startSecond(port)
    await second.gateway.listen()
    await expect.poll(() => read('/v1/models/big')).toMatchObject({ state: 'ready' })
    const { choices } = await openai.chat.completions.create({ ...asked, temperature: 0 })
    expect(choices[0]!.message.content).toBe(answer)
  })
})
