import type { ChatResponse } from '@petals-chat/api'
import { describe, expect, it } from 'vitest'
import { complete, messages, paris, path, promptOf, refusal, request } from './fixtures/chat.ts'
import { createTestApp, type TestAppOptions } from './fixtures/test-app.ts'

describe('an answer as JSON', () => {
  it('has the text, the reason for its end, usage, timings and a fingerprint', async () => {
    const response = await complete({}, paris)
    expect(response.id).toMatch(/^chatcmpl-[0-9a-f]{32}$/)
    expect(response).toMatchObject({ object: 'chat.completion', model: 'test' })
    expect(response.system_fingerprint).toMatch(/^fp_[0-9a-f]{10}$/)
    expect(Math.abs(response.created - Date.now() / 1000)).toBeLessThan(60)
    expect(response.choices).toEqual([
      {
        index: 0,
        message: {
          role: 'assistant',
          content: 'Paris, the city of light. 🗼',
          refusal: null,
          annotations: [],
        },
        logprobs: null,
        finish_reason: 'stop',
      },
    ])
    // <|user|> + 30 characters + <|end|> + <|assistant|> and BOS; the answer is 30 bytes and an end token.
    expect(response.usage).toEqual({
      prompt_tokens: 34,
      completion_tokens: 31,
      total_tokens: 65,
      prompt_tokens_details: { cached_tokens: 0 },
    })
    expect(response.timings).toMatchObject({ prompt_n: 34, cache_n: 0, predicted_n: 31 })
  })

  it('has the request id in its header', async () => {
    await using app = createTestApp(paris)
    const response = await app.post(path, request)
    expect(response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('counts the tokens that a second turn finds in the KV cache', async () => {
    await using app = createTestApp(paris)
    const first = (await (await app.post(path, request)).json()) as ChatResponse
    const turns = [
      ...messages,
      { role: 'assistant', content: first.choices[0]!.message.content },
      ...messages,
    ]
    const second = (await (await app.post(path, { ...request, messages: turns })).json()) as ChatResponse
    expect(second.usage.prompt_tokens_details.cached_tokens).toBeGreaterThan(60)
    expect(second.timings.cache_n).toBe(second.usage.prompt_tokens_details.cached_tokens)
    expect(app.engine.sessionsOpened).toBe(1)
  })

  it('ends at max_completion_tokens, max_tokens, and the model’s own default', async () => {
    const cut = { choices: [{ message: { content: 'Par' }, finish_reason: 'length' }] }
    expect(await complete({ max_completion_tokens: 3, max_tokens: 9 }, paris)).toMatchObject(cut)
    expect(await complete({ max_tokens: 3 }, paris)).toMatchObject(cut)
    expect(await complete({}, { ...paris, specs: [{ generation: { max_new_tokens: 3 } }] })).toMatchObject(
      cut,
    )
    expect(await complete({}, { ...paris, generation: { max_new_tokens: 3 } })).toMatchObject(cut)
  })

  it('ends after 2048 tokens where neither request nor model sets a limit', async () => {
    const { choices, usage } = await complete({}, { contextLength: 8192 })
    expect(choices[0]!.finish_reason).toBe('length')
    expect(usage.completion_tokens).toBe(2048)
  })

  it('ends before a stop text, also across token boundaries', async () => {
    for (const stop of ['the city', ['zzz', 'the city']]) {
      const { choices, usage } = await complete({ stop }, paris)
      expect(choices[0]).toMatchObject({ message: { content: 'Paris, ' }, finish_reason: 'stop' })
      expect(usage.completion_tokens).toBe('Paris, the city'.length)
    }
  })

  it('continues after end tokens with ignore_eos', async () => {
    const { choices } = await complete({ ignore_eos: true, max_tokens: 40 }, paris)
    expect(choices[0]!.finish_reason).toBe('length')
  })

  it('has n choices that share the prompt, each with its own seed', async () => {
    await using app = createTestApp()
    const body = { ...request, n: 3, max_tokens: 12, temperature: 2, seed: 7 }
    const first = (await (await app.post(path, body)).json()) as ChatResponse
    const texts = first.choices.map(({ message }) => message.content)
    expect(first.choices.map(({ index }) => index)).toEqual([0, 1, 2])
    expect(new Set(texts).size).toBe(3)
    expect(first.usage).toMatchObject({ prompt_tokens: 34, completion_tokens: 36 })
    expect(app.engine.sessionsOpened).toBe(1)
    const again = (await (await app.post(path, body)).json()) as ChatResponse
    expect(again.choices.map(({ message }) => message.content)).toEqual(texts)
    const alone = (await (await app.post(path, { ...body, n: 1, seed: 9 })).json()) as ChatResponse
    expect(alone.choices[0]!.message.content).toBe(texts[2])
  })

  it('accepts any integer as a seed', async () => {
    const text = async (seed: number) =>
      (await complete({ seed, temperature: 2, max_tokens: 12 })).choices[0]!.message.content
    expect(await text(2 ** 32 + 5)).toBe(await text(5))
    expect(await text(-5)).toBe(await text(2 ** 32 - 5))
  })

  it('samples by the model’s defaults, which a request can override', async () => {
    const sampled = { specs: [{ generation: { do_sample: false, temperature: 0.7 } }] }
    const text = async (body: object, options: TestAppOptions) =>
      (await complete({ temperature: undefined, max_tokens: 12, seed: 1, ...body }, options)).choices[0]!
        .message.content
    const greedy = await text({ temperature: 0 }, {})
    expect(await text({}, sampled)).toBe(greedy)
    expect(await text({ temperature: 2 }, sampled)).not.toBe(greedy)
    expect(await text({ temperature: 2, top_k: 1 }, {})).toBe(greedy)
    expect(await text({ temperature: 2, top_p: 0 }, {})).toBe(greedy)
    expect(await text({ temperature: 2, min_p: 1 }, {})).toBe(greedy)
    expect(await text({ temperature: 2 }, { specs: [{ generation: { top_k: 1 } }] })).toBe(greedy)
  })

  it('adds logit_bias to the tokens that it names', async () => {
    const bang = String('!'.charCodeAt(0))
    const { choices } = await complete({ logit_bias: { [bang]: 100 }, max_tokens: 4 })
    expect(choices[0]!.message.content).toBe('!!!!')
    expect(await refusal({ logit_bias: { 5000: 1 } })).toMatchObject({ status: 400, param: 'logit_bias' })
  })

  it('penalizes tokens that have already occurred', async () => {
    const aaa = { continuation: () => 97 }
    expect((await complete({ max_tokens: 5 }, aaa)).choices[0]!.message.content).toBe('aaaaa')
    expect(
      (await complete({ max_tokens: 50, frequency_penalty: 2 }, aaa)).choices[0]!.message.content,
    ).not.toBe('a'.repeat(50))
    const repeated = await complete({ max_tokens: 5, repetition_penalty: 10 }, aaa)
    expect(repeated.choices[0]!.message.content).not.toBe('aaaaa')
  })
})

describe('log probabilities', () => {
  it('include every token, its bytes and the most probable tokens', async () => {
    const { choices } = await complete({ logprobs: true, top_logprobs: 3 }, { reply: () => 'Aé' })
    const content = choices[0]!.logprobs!.content!
    expect(content.map(({ token, bytes }) => [token, bytes])).toEqual([
      ['A', [65]],
      ['\ufffd', null],
      ['\ufffd', null],
    ])
    for (const { logprob, top_logprobs } of content) {
      expect(logprob).toBeLessThan(0)
      expect(top_logprobs).toHaveLength(3)
      expect(top_logprobs[0]!.logprob).toBe(logprob)
      expect(top_logprobs.map((top) => top.logprob)).toEqual(
        top_logprobs.map((top) => top.logprob).toSorted((a, b) => b - a),
      )
    }
  })

  it('can omit the most probable tokens', async () => {
    const { choices } = await complete({ logprobs: true }, paris)
    expect(choices[0]!.logprobs!.content![0]).toMatchObject({ token: 'P', top_logprobs: [] })
  })

  it('are all streamed with the text', async () => {
    await using app = createTestApp({ reply: () => 'naïve' })
    const body = { ...request, logprobs: true, top_logprobs: 1 }
    const { events } = await app.stream(path, body)
    const streamed = events.flatMap(({ choices }) => choices[0]?.logprobs?.content ?? [])
    const whole = (await (await app.post(path, body)).json()) as ChatResponse
    expect(streamed).toEqual(whole.choices[0]!.logprobs!.content)
    expect(streamed).toHaveLength(6)
  })

  it('are refused in contradictory requests, and where the engine has none', async () => {
    expect(await refusal({ top_logprobs: 2 })).toMatchObject({ status: 400, param: 'top_logprobs' })
    expect(await refusal({ logprobs: true }, { capabilities: { logprobs: false } })).toMatchObject({
      status: 400,
      param: 'logprobs',
      code: 'unsupported_parameter',
    })
  })
})

describe('the prompt', () => {
  it('is the dialogue rendered by the model’s template, with one BOS', async () => {
    const dialogue = [
      { role: 'system', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Hel' },
          { type: 'text', text: 'lo' },
        ],
      },
      { role: 'assistant', content: 'Hi.' },
      { role: 'user', content: 'Bye' },
    ]
    expect(await promptOf({ messages: dialogue })).toBe(
      '<s><|system|>Be brief.<|end|><|user|>Hello<|end|><|assistant|>Hi.<|end|><|user|>Bye<|end|>',
    )
    const writesBos = {
      stopSequences: [],
      writesBos: true,
      render: () => '<s>just this<|assistant|>',
    }
    expect(await promptOf({}, { chatTemplate: writesBos })).toBe('<s>just this')
  })

  it('treats developer messages as system messages', async () => {
    expect(
      await promptOf({ messages: [{ role: 'developer', content: 'Be brief.' }, ...messages] }),
    ).toContain('<|system|>Be brief.')
  })

  it.each([{ continue_final_message: true }, { prefix: true }])(
    'continues an unfinished answer (%j)',
    async (how) => {
      const { prefix, ...fields } = { prefix: undefined, ...how }
      const unfinished = [...messages, { role: 'assistant', content: 'Par', prefix }]
      const { choices } = await complete({ ...fields, messages: unfinished }, { reply: () => 'Paris.' })
      expect(choices[0]!.message.content).toBe('is.')
    },
  )

  it('can’t continue a question', async () => {
    expect(await refusal({ continue_final_message: true })).toMatchObject({
      status: 400,
      param: 'continue_final_message',
    })
  })

  it('ends at the stop texts of the template', async () => {
    const template = { stopSequences: ['###'], writesBos: false, render: () => '<|assistant|>' }
    const { choices } = await complete({}, { chatTemplate: template, reply: () => 'Hi.### Human: what?' })
    expect(choices[0]!.message.content).toBe('Hi.')
  })

  it('passes additional variables to the template', async () => {
    let seen: unknown
    const template = {
      stopSequences: [],
      writesBos: false,
      render: (_messages: unknown, options?: { readonly variables?: unknown }) => {
        seen = options?.variables
        return 'x'
      },
    }
    await complete(
      { chat_template_kwargs: { enable_thinking: false }, reasoning_effort: 'low', max_tokens: 1 },
      { chatTemplate: template },
    )
    expect(seen).toEqual({ enable_thinking: false, reasoning_effort: 'low' })
  })

  it('is refused if a message has no content', async () => {
    expect(await refusal({ messages: [{ role: 'assistant' }] })).toMatchObject({
      status: 400,
      param: 'messages[0].content',
      code: 'missing_required_parameter',
    })
  })
})
