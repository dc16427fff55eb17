import { Ollama } from 'ollama'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { callsOf } from '../../../../../tests/clients/calls-of.ts'
import { createTestApp, type TestApp } from '../openai/fixtures/test-app.ts'

const question = { role: 'user', content: 'What is the capital of France?' }
const weather = {
  type: 'function',
  function: {
    name: 'weather',
    description: 'The weather of a city.',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
}
const call = '<tool_call>{"name": "weather", "arguments": {"city": "Paris"}}</tool_call>'

/** The model's answer depends on the question. */
function reply(prompt: string): string {
  if (prompt.includes('sunny')) return 'It is sunny.'
  if (prompt.includes('"weather"')) return `I look. ${call}`
  if (prompt.includes('think')) return '<think>Hm.</think>Paris.'
  if (prompt.includes('And Italy?')) return prompt.includes('light') ? 'Rome, then.' : 'Which?'
  return 'Paris, the city of light. 🗼'
}

const holds = callsOf('ollama-npm', import.meta.url)

/** Ollama's options may be sent in part. */
const greedy = { temperature: 0 }

describe('the official Ollama client, over a socket', () => {
  let app: TestApp
  let client: Ollama

  beforeAll(async () => {
    const specs = [
      { id: 'org/test-135M-Q4_K_M', aliases: ['smol'], family: 'Test', maxSessionLength: 1024 },
      { id: 'other:1b' },
    ]
    app = createTestApp({ reply, specs })
    const { url } = await app.gateway.listen()
    client = new Ollama({ host: url })
  })
  afterAll(() => app[Symbol.asyncDispose]())

  const ask = { model: 'smol', messages: [question], options: greedy }

  holds('chat')('answers a dialogue, and says what it took', async () => {
    const answer = await client.chat(ask)
    expect(answer).toMatchObject({
      model: 'org/test-135M-Q4_K_M',
      message: { role: 'assistant', content: 'Paris, the city of light. 🗼' },
      done: true,
      done_reason: 'stop',
    })
    expect(answer.prompt_eval_count).toBeGreaterThan(30)
    expect(answer.eval_count).toBeGreaterThan(20)
    expect(answer.total_duration).toBeGreaterThanOrEqual(answer.load_duration)
    expect(answer.total_duration).toBeGreaterThanOrEqual(answer.prompt_eval_duration + answer.eval_duration)
    expect(answer.load_duration).toBeGreaterThan(0)
  })

  holds('stream')('streams a dialogue', async () => {
    const lines = await Array.fromAsync(await client.chat({ ...ask, stream: true }))
    expect(lines.length).toBeGreaterThan(3)
    expect(lines.map(({ message }) => message.content).join('')).toBe('Paris, the city of light. 🗼')
    expect(lines.map(({ done }) => done)).toEqual([...lines.slice(1).map(() => false), true])
    expect(lines.at(-1)).toMatchObject({ done_reason: 'stop', message: { role: 'assistant', content: '' } })
  })

  holds('tools').each([false, true])(
    'goes through a loop with a tool without ids (streamed: %s)',
    async (streamed) => {
      const request = { ...ask, tools: [weather] }
      const pieces = streamed
        ? await Array.fromAsync(await client.chat({ ...request, stream: true }))
        : [await client.chat(request)]
      const calls = pieces.flatMap(({ message }) => message.tool_calls ?? [])
      expect(calls).toMatchObject([{ function: { name: 'weather', arguments: { city: 'Paris' } } }])
      expect(pieces.map(({ message }) => message.content).join('')).toContain('I look.')
      expect(pieces.at(-1)!.done_reason).toBe('stop')
      const [{ function: named }] = calls as [(typeof calls)[0]]
      const last = await client.chat({
        ...request,
        messages: [
          question,
          { role: 'assistant', content: 'I look.', tool_calls: [{ function: named }] },
          { role: 'tool', content: 'sunny', tool_name: 'weather' },
        ],
      })
      expect(last.message.content).toBe('It is sunny.')
    },
  )

  holds('thoughts')(
    'gives thoughts a place of their own, and leaves them out where the client says so',
    async () => {
      const messages = [{ role: 'user', content: 'Please think.' }]
      for (const asked of [{}, { think: true }, { think: 'high' as const }]) {
        const { message } = await client.chat({ ...ask, messages, ...asked })
        expect(message).toMatchObject({ thinking: 'Hm.', content: 'Paris.' })
      }
      const silent = await client.chat({ ...ask, messages, think: false })
      expect(silent.message).toEqual({ role: 'assistant', content: 'Paris.' })
      const streamed = await client.chat({ ...ask, messages, think: true, stream: true })
      const thoughts = (await Array.fromAsync(streamed)).map(({ message }) => message.thinking ?? '')
      expect(thoughts.join('')).toBe('Hm.')
    },
  )

  holds('text', 'kept')('generates, streams, and goes on with the context of an answer', async () => {
    const first = await client.generate({ model: 'smol', prompt: question.content, options: greedy })
    expect(first.response).toBe('Paris, the city of light. 🗼')
    const next = { model: 'smol', prompt: 'And Italy?', options: greedy }
    expect((await client.generate(next)).response).toBe('Which?')
    const lines = await Array.fromAsync(
      await client.generate({ ...next, context: first.context, stream: true }),
    )
    expect(lines.map(({ response }) => response).join('')).toBe('Rome, then.')
    expect(lines.at(-1)!.context.slice(0, first.context.length)).toEqual(first.context)
  })

  holds('text')('continues a raw text', async () => {
    const raw = await client.generate({
      model: 'smol',
      prompt: 'Once',
      raw: true,
      options: { num_predict: 5 },
    })
    expect(raw).toMatchObject({ done: true, done_reason: 'length', eval_count: 5 })
    expect(raw.prompt_eval_count).toBeLessThan(7)
  })

  holds('scores')('honours length, stop and log probabilities', async () => {
    const cut = await client.chat({ ...ask, options: { ...greedy, num_predict: 5 } })
    expect(cut).toMatchObject({ message: { content: 'Paris' }, done_reason: 'length', eval_count: 5 })
    const stopped = await client.chat({ ...ask, options: { ...greedy, stop: ['of'] } })
    expect(stopped).toMatchObject({ message: { content: 'Paris, the city ' }, done_reason: 'stop' })
    const scored = await client.chat({ ...ask, logprobs: true, top_logprobs: 2 })
    expect(scored.logprobs!.map(({ token }) => token).join('')).toContain('Paris')
    expect(scored.logprobs![0]!.top_logprobs).toHaveLength(2)
    const plain = await client.generate({ model: 'smol', prompt: 'Hi', logprobs: true })
    expect(plain.logprobs!.length).toBeGreaterThan(5)
  })

  holds('form')('takes json and schemas as formats', async () => {
    const schema = { type: 'object', properties: { city: { type: 'string' } } }
    for (const format of ['json', schema]) expect((await client.chat({ ...ask, format })).done).toBe(true)
    await expect(client.chat({ ...ask, format: 'yaml' })).rejects.toThrow("'format'")
    let deep: object = {}
    for (let depth = 0; depth < 70; depth++) deep = { items: deep }
    await expect(client.chat({ ...ask, format: deep })).rejects.toThrow("Invalid 'format'")
  })

  holds('models')('lists, describes and loads models, with and without :latest', async () => {
    const { models } = await client.list()
    expect(models).toMatchObject([
      {
        name: 'org/test-135M-Q4_K_M:latest',
        model: 'org/test-135M-Q4_K_M:latest',
        digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
        details: { format: 'gguf', family: 'Test', parameter_size: '135M', quantization_level: 'Q4_K_M' },
      },
      { name: 'other:1b', details: { parameter_size: '1B' } },
    ])
    for (const model of ['smol', 'smol:latest', models[0]!.name, 'other:1b'])
      expect((await client.chat({ ...ask, model, messages: [] })).done_reason).toBe('load')
    expect((await client.ps()).models.map(({ name }) => name)).toEqual(models.map(({ name }) => name))
    const shown = await client.show({ model: 'smol' })
    expect(shown).toMatchObject({ capabilities: ['completion', 'tools'], details: models[0]!.details })
    expect(shown.model_info).toMatchObject({ 'general.architecture': 'llama', 'llama.context_length': 1024 })
    expect(shown.parameters).toContain('temperature 0.6')
    expect((await client.version()).version).toMatch(/^\d+\.\d+\.\d+$/)
  })

  holds('embeddings')('embeds', async () => {
    const { embeddings, prompt_eval_count: tokens } = await client.embed({ model: 'smol', input: ['a', 'b'] })
    expect(embeddings).toHaveLength(2)
    expect(Math.hypot(...embeddings[0]!)).toBeCloseTo(1, 5)
    expect(tokens).toBeGreaterThan(1)
    const { embedding } = await client.embeddings({ model: 'smol', prompt: 'a' })
    expect(embedding).toEqual(embeddings[0])
    const long = 'word '.repeat(1_000)
    expect((await client.embed({ model: 'smol', input: long })).prompt_eval_count).toBe(1024)
    await expect(client.embed({ model: 'smol', input: long, truncate: false })).rejects.toThrow('context')
    expect((await client.embed({ model: 'smol', input: '' })).embeddings).toEqual([])
  })

  it('says that models come from the configuration', async () => {
    expect(await client.pull({ model: 'smol' })).toEqual({ status: 'success' })
    const pulled = await Array.fromAsync(await client.pull({ model: 'smol', stream: true }))
    expect(pulled).toEqual([{ status: 'success' }])
    for (const refused of [
      () => client.pull({ model: 'llama3.2' }),
      () => client.push({ model: 'smol' }),
      () => client.create({ model: 'mine', from: 'smol' }),
      () => client.copy({ source: 'smol', destination: 'other' }),
      () => client.delete({ model: 'smol' }),
      ...[0, '0', '0s', '-0m', '0.00h', '000ms'].flatMap((keep_alive) => [
        () => client.chat({ model: 'smol', keep_alive }),
        () => client.generate({ model: 'smol', prompt: '', keep_alive }),
      ]),
    ])
      await expect(refused()).rejects.toThrow('configuration')
  })

  holds('errors')('throws errors with the words of the server and the right status', async () => {
    const failed = (body: object) =>
      client.chat({ ...ask, ...body }).then(
        () => expect.fail('The request was not refused.'),
        (error: unknown) => error as Error & { status_code: number },
      )
    expect(await failed({ model: 'nothing:latest' })).toMatchObject({ status_code: 404 })
    const image = await failed({ messages: [{ ...question, images: ['aGk='] }] })
    expect(image).toMatchObject({ status_code: 400, message: expect.stringContaining('only text') as string })
    expect((await failed({ options: { mirostat: 2 } })).message).toContain('temperature')
    expect((await failed({ options: { temperature: 'hot' } })).message).toContain("'options.temperature'")
    await expect(client.generate({ model: 'smol', prompt: 'a', suffix: 'b' })).rejects.toThrow('suffix')
    await expect(client.generate({ model: 'smol', prompt: 'a', raw: true, system: 'b' })).rejects.toThrow(
      'raw',
    )
  })
})
