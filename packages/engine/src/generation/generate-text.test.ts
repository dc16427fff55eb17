import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { GeneratedToken, Model, Session } from '../engine.ts'
import { ContextLengthError, GenerationFailedError, InvalidRequestError } from '../errors.ts'
import { modelSpecSchema } from '../models/model-spec.ts'
import { greedy } from '../sampling-params.ts'
import { ScriptedEngine, type ScriptedEngineOptions } from '../testing/scripted-engine.ts'
import { scriptedTokenizer, specialToken } from '../testing/scripted-tokenizer.ts'
import { generateText } from './generate-text.ts'
import type { GenerationEndEvent, GenerationEvent, TextRequest } from './generate-text.types.ts'

const spec = modelSpecSchema.parse({ id: 'test', engine: 'llama', source: 'none' })

async function openModel(options: ScriptedEngineOptions = {}) {
  const engine = new ScriptedEngine(options)
  const model = await engine.load(spec)
  return { engine, model, [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose]() }
}

/** A prompt after which the scripted model gives its reply. */
const ask = (text: string) => scriptedTokenizer.encode(`<|user|>${text}<|end|><|assistant|>`)

const request = (overrides: Partial<TextRequest> = {}): TextRequest => ({
  tokens: ask('Hi'),
  maxNewTokens: 100,
  stop: [],
  sampling: greedy,
  ...overrides,
})

interface Answer {
  readonly text: string
  readonly deltas: readonly string[]
  readonly tokens: readonly GeneratedToken[]
  readonly end: GenerationEndEvent
}

async function collect(events: AsyncIterable<GenerationEvent>): Promise<Answer> {
  const all = await Array.fromAsync(events)
  const end = all.pop()
  if (end?.type !== 'generation-end') throw new Error('the last event must be the end')
  const deltas = all.map((event) => {
    if (event.type !== 'text-delta') throw new Error('only one end')
    return event
  })
  return {
    text: deltas.map(({ text }) => text).join(''),
    deltas: deltas.map(({ text }) => text),
    tokens: deltas.flatMap(({ tokens }) => tokens),
    end,
  }
}

async function answer(options: ScriptedEngineOptions, overrides: Partial<TextRequest> = {}): Promise<Answer> {
  await using opened = await openModel(options)
  await using session = await opened.model.openSession({ maxLength: 512 })
  return await collect(generateText(opened.model, session, request(overrides)))
}

describe('generateText: the text', () => {
  it('ends at the end token, which is not part of the text', async () => {
    const { text, end } = await answer({
      reply: (prompt) => `You said ${prompt.includes('Hi') ? 'Hi' : '?'}.`,
    })
    expect(text).toBe('You said Hi.')
    expect(end).toMatchObject({ finishReason: 'stop', stopReason: '<|end|>' })
    expect(end.usage).toEqual({ promptTokens: ask('Hi').length, cachedTokens: 0, completionTokens: 13 })
  })

  it('holds back incomplete characters', async () => {
    const { text, deltas } = await answer({ reply: () => 'né 你好 🌍!' })
    expect(text).toBe('né 你好 🌍!')
    expect(deltas).toEqual([...'né 你好 🌍!'])
  })

  it('cuts at maxNewTokens, an incomplete character shown as U+FFFD', async () => {
    const { text, end, tokens } = await answer({ reply: () => 'a你' }, { maxNewTokens: 3 })
    expect(text).toBe('a\uFFFD')
    expect(end).toMatchObject({ finishReason: 'length', usage: { completionTokens: 3 } })
    expect(end.stopReason).toBeUndefined()
    expect(tokens.map(({ token }) => token)).toEqual([...new TextEncoder().encode('a你')].slice(0, 3))
  })

  it('ends where the session is full, prompt and answer counted together', async () => {
    await using opened = await openModel()
    await using session = await opened.model.openSession({ maxLength: ask('Hi').length + 5 })
    const { end } = await collect(generateText(opened.model, session, request()))
    expect(end).toMatchObject({ finishReason: 'length', usage: { completionTokens: 5 } })
    expect(session.tokens).toHaveLength(session.maxLength - 1)
  })

  it('continues after end tokens with `ignoreEos`, without their text', async () => {
    const { text, end } = await answer({ reply: () => 'ab' }, { ignoreEos: true, maxNewTokens: 6 })
    expect(text).toBe('ab')
    expect(end).toMatchObject({ finishReason: 'length', usage: { completionTokens: 6 } })
  })

  it('includes the text of special tokens if `skipSpecialTokens` is false', async () => {
    const options = { ignoreEos: true, maxNewTokens: 4, skipSpecialTokens: false }
    expect((await answer({ reply: () => 'ab' }, options)).text).toBe('ab<|end|></s>')
  })
})

describe('generateText: stop sequences', () => {
  it('stops across token borders and drops the sequence', async () => {
    const { text, end } = await answer({ reply: () => 'one\nHuman: two' }, { stop: ['\nHuman:'] })
    expect(text).toBe('one')
    expect(end).toMatchObject({ finishReason: 'stop', stopReason: '\nHuman:' })
    expect(end.usage.completionTokens).toBe('one\nHuman:'.length)
  })

  it('releases text that only looked like one', async () => {
    const { text, deltas } = await answer({ reply: () => 'a##b#' }, { stop: ['###'] })
    expect(text).toBe('a##b#')
    expect(deltas).toEqual(['a', '##b', '#'])
  })

  it('reports the sequence and not the length if it ends with the last token', async () => {
    const { text, end } = await answer({ reply: () => 'ab###' }, { stop: ['###'], maxNewTokens: 5 })
    expect(text).toBe('ab')
    expect(end).toMatchObject({ finishReason: 'stop', stopReason: '###' })
  })

  it('finds a sequence however the text is split into tokens', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: fc.constantFrom('a', 'b', 'é'), maxLength: 12 }), async (reply) => {
        const { text } = await answer({ reply: () => reply }, { stop: ['ab', 'éé'] })
        expect(text).toBe(reply.split(/ab|éé/)[0])
      }),
      { numRuns: 50 },
    )
  })
})

describe('generateText: log probabilities', () => {
  it('come with the text that they belong to', async () => {
    const { tokens, text } = await answer({ reply: () => 'é!' }, { topLogprobs: 2 })
    expect(text).toBe('é!')
    expect(tokens.map(({ token }) => token)).toEqual([0xc3, 0xa9, 0x21])
    expect(tokens.every(({ logprob, topLogprobs }) => logprob! <= 0 && topLogprobs?.length === 2)).toBe(true)
  })

  it('leave out the tokens of a stop sequence', async () => {
    const { tokens } = await answer({ reply: () => 'ab##c###' }, { stop: ['###'], topLogprobs: 0 })
    expect(scriptedTokenizer.decode(tokens.map(({ token }) => token))).toBe('ab##c')
  })
})

describe('generateText: the KV cache', () => {
  it('runs only the tokens that the session does not hold yet', async () => {
    await using opened = await openModel({ reply: () => 'ok' })
    const { model, engine } = opened
    await using session = await model.openSession({ maxLength: 512 })
    const first = ask('Hi')
    await collect(generateText(model, session, request({ tokens: first })))
    const second = [...first, ...scriptedTokenizer.encode('ok<|end|>'), ...ask('More')]
    const steps = engine.steps
    const { text, end } = await collect(generateText(model, session, request({ tokens: second })))
    expect(text).toBe('ok')
    expect(end.usage.cachedTokens).toBe(first.length + 2)
    expect(engine.steps - steps).toBe(3)
  })

  it('drops cached tokens that the prompt does not share, and answers like a fresh session', async () => {
    await using opened = await openModel()
    const { model } = opened
    const tokens = scriptedTokenizer.encode('once upon a time')
    await using fresh = await model.openSession({ maxLength: 512 })
    const expected = await collect(generateText(model, fresh, request({ tokens, maxNewTokens: 9 })))
    await using used = await model.openSession({ maxLength: 512 })
    const other = scriptedTokenizer.encode('once more, and longer than before')
    await collect(generateText(model, used, request({ tokens: other, maxNewTokens: 9 })))
    const { text, end } = await collect(generateText(model, used, request({ tokens, maxNewTokens: 9 })))
    expect(text).toBe(expected.text)
    expect(end.usage.cachedTokens).toBe('once '.length)
  })

  it('runs the last token again if the whole prompt is cached', async () => {
    await using opened = await openModel()
    const { model } = opened
    await using session = await model.openSession({ maxLength: 512 })
    const first = await collect(generateText(model, session, request({ maxNewTokens: 4 })))
    const again = await collect(generateText(model, session, request({ maxNewTokens: 4 })))
    expect(again.text).toBe(first.text)
    expect(again.end.usage.cachedTokens).toBe(ask('Hi').length - 1)
  })
})

describe('generateText: interruptions', () => {
  it('leaving the loop stops the session', async () => {
    await using opened = await openModel()
    const { model, engine } = opened
    await using session = await model.openSession({ maxLength: 512 })
    for await (const event of generateText(model, session, request())) if (event.type === 'text-delta') break
    expect(engine.steps).toBe(1)
    await session.truncate(0)
    expect((await collect(generateText(model, session, request({ maxNewTokens: 2 })))).text).toHaveLength(2)
  })

  it('the signal stops a running step with its reason', async () => {
    await using opened = await openModel({ stepDelayMs: 1000 })
    await using session = await opened.model.openSession({ maxLength: 512 })
    const controller = new AbortController()
    const pending = collect(generateText(opened.model, session, request({ signal: controller.signal })))
    const reason = new Error('stop')
    controller.abort(reason)
    await expect(pending).rejects.toBe(reason)
  })

  it('a fault of the engine is an error, never a short answer', async () => {
    const fault = new GenerationFailedError('server gone')
    const events: GenerationEvent[] = []
    await using opened = await openModel({
      reply: () => 'abcdef',
      beforeStep: ({ step }) => {
        if (step === 3) throw fault
      },
    })
    await using session = await opened.model.openSession({ maxLength: 512 })
    const running = (async () => {
      for await (const event of generateText(opened.model, session, request())) events.push(event)
    })()
    await expect(running).rejects.toBe(fault)
    expect(events.map((event) => event.type === 'text-delta' && event.text)).toEqual(['a', 'b', 'c'])
  })

  it('an engine that stops without an error is an error, too', async () => {
    await using opened = await openModel()
    await using session = await opened.model.openSession({ maxLength: 512 })
    const silent: Session = {
      maxLength: 512,
      tokens: [],
      generate: async function* () {
        yield { token: 97 }
      },
      truncate: (length) => session.truncate(length),
      [Symbol.asyncDispose]: async () => {},
    }
    await expect(collect(generateText(opened.model, silent, request()))).rejects.toThrow(
      GenerationFailedError,
    )
  })
})

describe('generateText: what it refuses', () => {
  const refused = async (overrides: Partial<TextRequest>, model?: Partial<ScriptedEngineOptions>) => {
    const error = await answer(model ?? {}, overrides).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(InvalidRequestError)
    return (error as InvalidRequestError).param
  }

  it('names the parameter', async () => {
    expect(await refused({ tokens: [] })).toBe('prompt')
    expect(await refused({ tokens: [scriptedTokenizer.vocabSize] })).toBe('prompt')
    expect(await refused({ maxNewTokens: 0 })).toBe('max_new_tokens')
    expect(await refused({ stop: [''] })).toBe('stop')
    expect(await refused({ stop: ['\ud800'] })).toBe('stop')
    expect(await refused({ sampling: { temperature: -1 } })).toBe('temperature')
    expect(await refused({ topLogprobs: 21 })).toBe('top_logprobs')
    expect(await refused({ grammar: { type: 'json-object' } }, { capabilities: { grammar: false } })).toBe(
      'grammar',
    )
  })

  it('a prompt that leaves no room for a token', async () => {
    await using opened = await openModel()
    const model: Model = opened.model
    await using session = await model.openSession({ maxLength: ask('Hi').length })
    await expect(collect(generateText(model, session, request()))).rejects.toThrow(ContextLengthError)
    expect(session.tokens).toEqual([])
  })

  it('relies on an end token of the scripted tokenizer', () => {
    expect(scriptedTokenizer.eosTokens.has(specialToken('<|end|>'))).toBe(true)
  })
})
