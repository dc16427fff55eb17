import { componentSchemas } from '@petals-chat/api'
import { describe, expect, it } from 'vitest'
import { createTestApp, type TestApp } from './fixtures/test-app.ts'

const chat = { messages: [{ role: 'user', content: 'Hi' }], temperature: 0 }
const completion = { prompt: 'Hi', temperature: 0 }

interface Answer {
  readonly choices: readonly [
    { readonly finish_reason: string; readonly logprobs: { readonly tokens?: unknown } | null },
  ]
  readonly usage: {
    readonly prompt_tokens: number
    readonly completion_tokens: number
    readonly total_tokens: number
  }
}

async function ask(app: TestApp, path: string, body: object): Promise<Answer> {
  const response = await app.post(path, body)
  const text = await response.text()
  expect([response.status, response.status === 200 ? '' : text]).toEqual([200, ''])
  return JSON.parse(text) as Answer
}

describe('a requested length beyond the context', () => {
  const contextLength = 64

  it.each([
    ['max_tokens', 64],
    ['max_tokens', 4096],
    ['max_tokens', -1],
    ['max_tokens', -2],
    ['max_completion_tokens', 1_000_000],
    ['max_completion_tokens', -1],
    ['max_new_tokens', 4096],
    ['n_predict', -1],
    ['n_predict', 100],
  ])('%s: %i is cut to the free space', async (field, value) => {
    await using app = createTestApp({ contextLength })
    for (const [path, body] of [
      ['/v1/chat/completions', chat],
      ['/v1/completions', completion],
    ] as const) {
      const { usage, choices } = await ask(app, path, { ...body, [field]: value })
      expect(usage.total_tokens).toBe(contextLength)
      expect(choices[0].finish_reason).toBe('length')
    }
  })

  it('is cut to the limit of the config, too', async () => {
    await using app = createTestApp({ specs: [{ maxSessionLength: 32 }] })
    expect((await ask(app, '/v1/completions', { ...completion, max_tokens: 100 })).usage.total_tokens).toBe(
      32,
    )
  })

  it('is refused only where the prompt leaves no space', async () => {
    await using app = createTestApp({ contextLength })
    const promptOf = async (length: number, max_tokens: number) =>
      app.post('/v1/completions', { ...completion, prompt: 'x'.repeat(length), max_tokens })
    const { prompt_tokens: begin } = (
      await ask(app, '/v1/completions', { ...completion, prompt: 'x', max_tokens: 1 })
    ).usage
    const fits = contextLength - (begin - 1)
    expect((await promptOf(fits - 1, 500)).status).toBe(200)
    expect((await promptOf(fits, 500)).status).toBe(400)
    expect((await promptOf(fits, 0)).status).toBe(200)
    expect((await promptOf(fits + 1, 0)).status).toBe(400)
  })

  it('is read from the field that takes precedence', async () => {
    await using app = createTestApp()
    const lengthOf = async (fields: object) =>
      (await ask(app, '/v1/chat/completions', { ...chat, ...fields })).usage.completion_tokens
    expect(await lengthOf({ max_completion_tokens: 3, max_tokens: 5, n_predict: 7 })).toBe(3)
    expect(await lengthOf({ max_tokens: 5, max_new_tokens: 6, n_predict: 7 })).toBe(5)
    expect(await lengthOf({ max_tokens: null, n_predict: 7 })).toBe(7)
  })
})

/** Values that clients send for empty input fields, or to switch a parameter off. */
const harmless: readonly object[] = [
  { stop: '' },
  { stop: [''] },
  { stop: [] },
  { stop: ['', '§'] },
  { stop: ['1', '2', '3', '4', '5', '6', '7', '8'] },
  { seed: -1 },
  { seed: 4294967295 },
  { seed: -12 },
  { top_k: -1 },
  { top_k: 0 },
  { top_p: 0 },
  { top_p: 1 },
  { min_p: 0 },
  { temperature: 0 },
  { temperature: 5 },
  { repetition_penalty: 1 },
  { repeat_penalty: 1 },
  { presence_penalty: 0, frequency_penalty: 0 },
  { logit_bias: {} },
  { logit_bias: [] },
  { logit_bias: [[104, false]] },
  { logprobs: false },
  { logprobs: null, top_logprobs: null },
  { n: null, stream: null, stream_options: null, user: null, tools: null },
]

describe('values without effect', () => {
  it.each(harmless)('%j is accepted', async (fields) => {
    await using app = createTestApp({ reply: () => 'Hi.' })
    await ask(app, '/v1/chat/completions', { ...chat, ...fields })
    const { top_logprobs: _top, ...both } = fields as { readonly top_logprobs?: unknown }
    await ask(app, '/v1/completions', { ...completion, ...both })
  })

  it('a seed of -1 is a new seed for every request', async () => {
    await using app = createTestApp()
    const text = async (seed: number) => {
      const response = await app.post('/v1/completions', {
        prompt: 'Hi',
        temperature: 3,
        seed,
        max_tokens: 40,
      })
      return ((await response.json()) as { readonly choices: readonly [{ readonly text: string }] })
        .choices[0].text
    }
    expect(await text(7)).toBe(await text(7))
    expect(await text(-1)).not.toBe(await text(-1))
    expect(await text(4294967295)).not.toBe(await text(4294967295))
  })

  it('an empty stop text ends no answer; other stop texts do', async () => {
    await using app = createTestApp({ reply: () => 'One. Two. Three.' })
    const finishOf = async (stop: unknown) =>
      (await ask(app, '/v1/chat/completions', { ...chat, stop })).usage.completion_tokens
    const whole = await finishOf(undefined)
    expect(await finishOf('')).toBe(whole)
    expect(await finishOf(['', ' Two'])).toBeLessThan(whole)
  })

  it('logprobs of completions: false is off, true and 0 return only those of the tokens themselves', async () => {
    await using app = createTestApp()
    const of = async (logprobs: unknown) =>
      (await ask(app, '/v1/completions', { ...completion, max_tokens: 2, logprobs })).choices[0].logprobs
    expect(await of(false)).toBeNull()
    expect(await of(null)).toBeNull()
    expect(await of(true)).toEqual(await of(0))
    expect((await of(0))!.tokens).toHaveLength(2)
  })
})

describe('schemas of requests', () => {
  /** Objects whose keys are the client's own. */
  const free = /\.(parameters|schema|chat_template_kwargs|logit_bias)$/

  it('accept no unknown field, at any depth', () => {
    const open: string[] = []
    const visit = (node: unknown, path: string): void => {
      if (typeof node !== 'object' || node === null) return
      const { properties, additionalProperties } = node as Record<string, unknown>
      const isTop = !path.includes('.') && /Request$/.test(path)
      if (properties !== undefined && additionalProperties !== false && !isTop && !free.test(path))
        open.push(path)
      for (const [key, child] of Object.entries(node))
        visit(
          child,
          ['properties', 'anyOf', 'oneOf', 'items'].includes(key) || /^\d+$/.test(key)
            ? path
            : `${path}.${key}`,
        )
    }
    const schemas = componentSchemas()
    for (const name of [
      'ChatCompletionRequest',
      'CompletionRequest',
      'EmbeddingRequest',
      'TokenizeRequest',
      'DetokenizeRequest',
      'Message',
      'Tool',
      'ToolChoice',
      'ResponseFormat',
    ])
      visit(schemas[name], name)
    expect(open).toEqual([])
  })
})
