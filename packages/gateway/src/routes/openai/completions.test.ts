import { type CompletionResponse, completionChunkSchema, completionResponseSchema } from '@petals-chat/api'
import { describe, expect, it } from 'vitest'
import { createTestApp, type TestAppOptions } from './fixtures/test-app.ts'

const path = '/v1/completions'
const request = { model: 'test', prompt: 'Once', temperature: 0, max_tokens: 8 }
/** The next letter of the alphabet, and an end after z. */
const alphabet: TestAppOptions = {
  continuation: (tokens) => (tokens.at(-1) === 122 ? 257 : tokens.at(-1)! + 1),
}

async function complete(body: object, options: TestAppOptions = alphabet): Promise<CompletionResponse> {
  await using app = createTestApp(options)
  const response = await app.post(path, { ...request, ...body })
  const json: unknown = await response.json()
  expect(response.status, JSON.stringify(json)).toBe(200)
  return completionResponseSchema.parse(json)
}

async function refusal(body: object, options: TestAppOptions = alphabet) {
  await using app = createTestApp(options)
  const response = await app.post(path, { ...request, ...body })
  return { status: response.status, ...((await response.json()) as { error: object }).error }
}

const bytes = (text: string) => [...new TextEncoder().encode(text)]

describe('a completion', () => {
  it('continues a text', async () => {
    const response = await complete({})
    expect(response.id).toMatch(/^cmpl-/)
    expect(response.choices).toEqual([
      { index: 0, text: 'fghijklm', logprobs: null, finish_reason: 'length' },
    ])
    // BOS and four letters.
    expect(response.usage).toMatchObject({ prompt_tokens: 5, completion_tokens: 8 })
  })

  it('has 16 tokens by default, or as many as the model’s config says', async () => {
    expect((await complete({ prompt: 'a', max_tokens: undefined })).usage.completion_tokens).toBe(16)
    const configured = { ...alphabet, specs: [{ generation: { max_new_tokens: 4 } }] }
    expect((await complete({ max_tokens: undefined }, configured)).usage.completion_tokens).toBe(4)
  })

  it('ends at the model’s end token, and at stop texts', async () => {
    expect((await complete({ prompt: 'x' })).choices[0]).toMatchObject({ text: 'yz', finish_reason: 'stop' })
    expect((await complete({ stop: 'jk' })).choices[0]).toMatchObject({ text: 'fghi', finish_reason: 'stop' })
  })

  it.each([
    ['texts', ['a', 'k'], ['bcd', 'lmn'], 4],
    ['token ids, which get no BOS', bytes('a'), ['bcd'], 1],
    ['lists of token ids', [bytes('ba'), bytes('k')], ['bcd', 'lmn'], 3],
  ])('accepts %s', async (_name, prompt, texts, promptTokens) => {
    const { choices, usage } = await complete({ prompt, max_tokens: 3 })
    expect(choices.map(({ text }) => text)).toEqual(texts)
    expect(choices.map(({ index }) => index)).toEqual(texts.map((_, index) => index))
    expect(usage.prompt_tokens).toBe(promptTokens)
  })

  it('has n choices for each prompt, in the order of the prompts', async () => {
    const { choices, usage } = await complete({ prompt: ['a', 'k'], n: 2, max_tokens: 2 })
    expect(choices.map(({ index, text }) => [index, text])).toEqual([
      [0, 'bc'],
      [1, 'bc'],
      [2, 'lm'],
      [3, 'lm'],
    ])
    expect(usage).toMatchObject({ prompt_tokens: 4, completion_tokens: 8 })
  })

  it('of an empty prompt starts from BOS', async () => {
    expect((await complete({ prompt: '' }, {})).usage.prompt_tokens).toBe(1)
  })
})

describe('logprobs', () => {
  it('have the legacy shape, which always includes the token itself', async () => {
    const { choices } = await complete({ prompt: 'a', max_tokens: 3, logprobs: 2 })
    const { tokens, token_logprobs, top_logprobs, text_offset } = choices[0]!.logprobs!
    expect(tokens).toEqual(['b', 'c', 'd'])
    expect(text_offset).toEqual([0, 1, 2])
    expect(top_logprobs).toHaveLength(3)
    for (const [index, top] of top_logprobs!.entries()) {
      expect(Object.keys(top!)).toHaveLength(2)
      expect(top![tokens[index]!]).toBe(token_logprobs[index])
    }
  })

  it('0 returns only those of the tokens themselves', async () => {
    const { choices } = await complete({ prompt: 'a', max_tokens: 2, logprobs: 0 })
    const { token_logprobs, top_logprobs } = choices[0]!.logprobs!
    expect(top_logprobs).toEqual([{ b: token_logprobs[0] }, { c: token_logprobs[1] }])
  })

  it('offsets count characters; the tokens of one character share an offset', async () => {
    const { choices } = await complete({ prompt: 'a🗼b', max_tokens: 1, echo: true, logprobs: 0 })
    expect(choices[0]!.text).toBe('a🗼bc')
    expect(choices[0]!.logprobs!.text_offset).toEqual([0, 0, 1, 1, 1, 1, 2, 3])
  })

  it('are refused where the engine has none', async () => {
    const none = { capabilities: { logprobs: false, promptLogprobs: false } }
    expect(await refusal({ logprobs: 1 }, none)).toMatchObject({ status: 400, param: 'logprobs' })
    const noScores = { capabilities: { promptLogprobs: false } }
    expect(await refusal({ logprobs: 1, echo: true }, noScores)).toMatchObject({ status: 400, param: 'echo' })
  })
})

describe('echo', () => {
  it('puts the prompt before the answer', async () => {
    expect((await complete({ echo: true })).choices[0]!.text).toBe('Oncefghijklm')
    expect((await complete({ echo: true, prompt: bytes('Once') })).choices[0]!.text).toBe('Oncefghijklm')
  })

  it('with logprobs scores the prompt, as evaluation harnesses need it', async () => {
    const prompts = [bytes('abc'), bytes('abx')]
    const { choices, usage } = await complete({ prompt: prompts, max_tokens: 0, echo: true, logprobs: 1 })
    expect(choices.map(({ text, finish_reason }) => [text, finish_reason])).toEqual([
      ['abc', 'length'],
      ['abx', 'length'],
    ])
    expect(usage).toMatchObject({ prompt_tokens: 6, completion_tokens: 0 })
    const [expected, surprising] = choices.map(({ logprobs }) => logprobs!)
    expect(expected!.tokens).toEqual(['a', 'b', 'c'])
    expect(expected!.token_logprobs[0]).toBeNull()
    expect(expected!.top_logprobs![0]).toBeNull()
    expect(expected!.token_logprobs[2]!).toBeGreaterThan(surprising!.token_logprobs[2]!)
    // Greedy where the token's own log probability is the highest of the most probable ones.
    const isGreedy = ({ token_logprobs, top_logprobs }: typeof expected & {}) =>
      token_logprobs[2] === Math.max(...Object.values(top_logprobs![2]!))
    expect([isGreedy(expected!), isGreedy(surprising!)]).toEqual([true, false])
  })

  it('with logprobs and an answer returns both, with the same numbers every time', async () => {
    await using app = createTestApp(alphabet)
    const body = { ...request, prompt: 'ab', max_tokens: 1, echo: true, logprobs: 1 }
    const first = (await (await app.post(path, body)).json()) as CompletionResponse
    expect(first.choices[0]!.logprobs!.tokens).toEqual(['<s>', 'a', 'b', 'c'])
    expect(first.usage.prompt_tokens_details.cached_tokens).toBe(0)
    // Now the pool has a session that holds the prompt, which must still be scored.
    const second = (await (await app.post(path, body)).json()) as CompletionResponse
    expect(second.choices).toEqual(first.choices)
  })

  it('with logprobs scores the end token too, without a text: harnesses take the last score for the answer’s', async () => {
    const body = { prompt: [bytes('xy'), bytes('yz')], max_tokens: 1, echo: true, logprobs: 1 }
    const { choices } = await complete(body)
    expect(choices.map(({ text, finish_reason }) => [text, finish_reason])).toEqual([
      ['xyz', 'length'],
      ['yz', 'stop'],
    ])
    expect(choices.map(({ logprobs }) => logprobs!.tokens)).toEqual([
      ['x', 'y', 'z'],
      ['y', 'z', '</s>'],
    ])
    const ended = choices[1]!.logprobs!
    expect(ended.text_offset).toEqual([0, 1, 2])
    expect(ended.top_logprobs![2]).toEqual({ '</s>': ended.token_logprobs[2] })
  })

  it('without an answer does not run the model', async () => {
    await using app = createTestApp(alphabet)
    const response = await app.post(path, { ...request, echo: true, max_tokens: 0 })
    expect(((await response.json()) as CompletionResponse).choices[0]).toMatchObject({
      text: 'Once',
      finish_reason: 'length',
    })
    expect(app.engine.steps).toBe(0)
  })
})

describe('a streamed completion', () => {
  it('has the same text and logprobs as one answer', async () => {
    await using app = createTestApp(alphabet)
    const body = { ...request, prompt: ['ab', 'y'], max_tokens: 3, n: 2, echo: true, logprobs: 1 }
    const { events, done } = await app.stream(path, { ...body, stream_options: { include_usage: true } })
    const whole = (await (await app.post(path, body)).json()) as CompletionResponse
    expect(done).toBe(true)
    for (const event of events) completionChunkSchema.parse(event)
    const choices = events.flatMap((event) => event.choices)
    for (const { index, text, logprobs, finish_reason } of whole.choices) {
      const own = choices.filter((choice) => choice.index === index)
      expect(own.map((choice) => choice.text).join('')).toBe(text)
      expect(own.flatMap((choice) => choice.logprobs?.tokens ?? [])).toEqual(logprobs!.tokens)
      expect(own.flatMap((choice) => choice.logprobs?.text_offset ?? [])).toEqual(logprobs!.text_offset)
      expect(own.at(-1).finish_reason).toBe(finish_reason)
    }
    expect(events.at(-1).usage).toEqual(whole.usage)
  })
})

describe('what is refused', () => {
  it.each([
    ['suffix', { suffix: 'end' }],
    ['best_of', { best_of: 3 }],
    ['best_of', { n: 2, best_of: 1 }],
    ['prompt', { prompt: ['a', 'b', 'c'], config: { maxChoices: 2 } }],
    ['prompt[1]', { prompt: [97, 5000] }],
    ['prompt[1][0]', { prompt: [[97], [5000]] }],
    ['tools', { tools: [{}] }],
  ])('%s: %j', async (param, { config, ...body }: Record<string, unknown>) => {
    const options = { ...alphabet, config: config as TestAppOptions['config'] }
    expect(await refusal(body, options as TestAppOptions)).toMatchObject({ status: 400, param })
  })

  it('a prompt that does not fit', async () => {
    const error = await refusal({ prompt: 'x'.repeat(100) }, { contextLength: 50 })
    expect(error).toMatchObject({ status: 400, code: 'context_length_exceeded' })
  })

  it('not an empty suffix, nor best_of equal to n', async () => {
    expect((await complete({ suffix: '', best_of: 1 })).choices).toHaveLength(1)
  })
})
