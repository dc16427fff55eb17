import { defaultModel } from '@petals-chat/hub'
import {
  generateText,
  greedy,
  InvalidRequestError,
  type Grammar,
  type Session,
  type TokenId,
} from '@petals-chat/engine'
import { getLlama } from 'node-llama-cpp'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultModelPath } from '../../../tests/support/model.ts'
import { openTestModel, type TestModel } from './testing/test-model.ts'

let subject: TestModel
beforeAll(async () => {
  const { dialogue } = defaultModel
  subject = await openTestModel({ spec: { dialogue } })
})
afterAll(() => subject[Symbol.asyncDispose]())

const encode = (text: string) => subject.model.tokenizer.encode(text)

async function answer(
  session: Session,
  prompt: readonly TokenId[],
  count: number,
  options: Partial<Parameters<Session['generate']>[1]> = {},
): Promise<TokenId[]> {
  const tokens: TokenId[] = []
  for await (const { token } of session.generate(prompt, { sampling: greedy, ...options })) {
    tokens.push(token)
    if (tokens.length === count) break
  }
  return tokens
}

describe('answers', () => {
  it('know the capital of France', async () => {
    const { model } = subject
    const question = [{ role: 'user' as const, content: 'What is the capital of France?' }]
    const tokens = encode(model.chatTemplate.render(question))
    await using session = await model.openSession({ maxLength: 128 })
    let text = ''
    for await (const event of generateText(model, session, {
      tokens,
      maxNewTokens: 30,
      stop: [],
      sampling: greedy,
    })) {
      if (event.type === 'text-delta') text += event.text
      else expect(event.finishReason).toBe('stop')
    }
    expect(text).toBe('The capital of France is Paris.')
  })

  it('are identical to those of node-llama-cpp, token by token', async () => {
    const prompts = ['Once upon a time, there was a', 'def fibonacci(n):', 'The three laws of robotics are']
    const llama = await getLlama({ gpu: false, build: 'never', progressLogs: false, maxThreads: 1 })
    const plain = await llama.loadModel({ modelPath: await defaultModelPath() })
    const context = await plain.createContext({ contextSize: 512, threads: 1 })
    const sequence = context.getSequence()
    for (const prompt of prompts) {
      await sequence.clearHistory()
      const expected: number[] = []
      for await (const token of sequence.evaluate(plain.tokenize(prompt, true), {
        temperature: 0,
        yieldEogToken: true,
      })) {
        expected.push(token)
        if (expected.length === 64) break
      }
      await using session = await subject.model.openSession({ maxLength: 256 })
      expect(await answer(session, encode(prompt), 64)).toEqual(expected)
    }
    await llama.dispose()
  })

  it('are drawn with the probabilities of the model', async () => {
    const prompt = encode('The weather today is')
    const draws = 150
    await using session = await subject.model.openSession({ maxLength: 64 })
    const [first] = await Array.fromAsync(firstOf(session, prompt))
    const expected = Math.exp(first!.topLogprobs![0]!.logprob)
    const { token: best } = first!.topLogprobs![0]!
    let hits = 0
    for (let seed = 0; seed < draws; seed++) {
      await session.truncate(prompt.length - 1)
      const [token] = await answer(session, prompt.slice(-1), 1, { sampling: { temperature: 1, seed } })
      if (token === best) hits++
    }
    // Four standard deviations for this number of draws.
    const tolerance = 4 * Math.sqrt((expected * (1 - expected)) / draws)
    expect(Math.abs(hits / draws - expected)).toBeLessThan(tolerance)
  })
})

async function* firstOf(session: Session, prompt: readonly TokenId[]) {
  for await (const token of session.generate(prompt, { sampling: greedy, topLogprobs: 1 })) {
    yield token
    return
  }
}

describe('concurrent sessions', () => {
  it('get equal shares', async () => {
    const sessions = await Promise.all(
      Array.from({ length: 4 }, () => subject.model.openSession({ maxLength: 512 })),
    )
    const stop = new AbortController()
    const counts = sessions.map(async (session, index) => {
      let count = 0
      try {
        const sampling = { temperature: 1, seed: index }
        for await (const _ of session.generate(encode(`Story number ${index}:`), {
          sampling,
          signal: stop.signal,
        }))
          if (++count === 100) stop.abort(new Error('enough'))
      } catch (error) {
        expect(error).toBe(stop.signal.reason)
      }
      // By its text, an answer may get some more tokens: those that were guessed.
      return count - (session.drafts?.().accepted ?? 0)
    })
    const shares = await Promise.all(counts)
    await Promise.all(sessions.map((session) => session[Symbol.asyncDispose]()))
    expect(Math.max(...shares) / Math.min(...shares), shares.join()).toBeLessThan(1.25)
  })

  it('receive tokens while another session computes a long prompt', async () => {
    const long = encode('word '.repeat(400))
    await using streaming = await subject.model.openSession({ maxLength: 512 })
    await using reading = await subject.model.openSession({ maxLength: 512 })
    let readUntil = 0
    const times: number[] = []
    let read: Promise<unknown> | undefined
    for await (const _ of streaming.generate(encode('Once upon a time'), { sampling: greedy })) {
      times.push(performance.now())
      read ??= answer(reading, long, 1).then(() => (readUntil = performance.now()))
      if (readUntil > 0 || times.length > 300) break
    }
    await read
    const during = times.filter((time) => time < readUntil).length
    expect(during).toBeGreaterThan(3)
  })
})

describe('an abort', () => {
  it('stops a long prompt, and the session can be used again', async () => {
    await using session = await subject.model.openSession({ maxLength: 512 })
    const stop = new AbortController()
    const reading = answer(session, encode('word '.repeat(450)), 1, { signal: stop.signal })
    await sleep(100)
    stop.abort(new Error('changed my mind'))
    await expect(reading).rejects.toThrow('changed my mind')
    expect(session.tokens).toEqual([])
    const prompt = encode('The capital of France is')
    const tokens = await answer(session, prompt, 1)
    expect(subject.model.tokenizer.decode(tokens)).toBe(' Paris')
  })

  it('leaves exactly the tokens that were read in the cache', async () => {
    const prompt = encode('Once upon a time, there was a')
    await using session = await subject.model.openSession({ maxLength: 256 })
    const whole = await answer(session, prompt, 20)
    for (const count of [1, 7]) {
      await session.truncate(0)
      const begin = await answer(session, prompt, count)
      // In the meantime the process has computed more tokens than were read.
      await sleep(100)
      expect(session.tokens).toEqual([...prompt, ...whole.slice(0, count - 1)])
      expect([...begin, ...(await answer(session, begin.slice(-1), 20 - count))]).toEqual(whole)
    }
  })
})

describe('an abort in the middle of scoring', () => {
  it('leaves the cache unchanged', async () => {
    const prompt = encode('Once upon a time, there was a')
    await using session = await subject.model.openSession({ maxLength: 512 })
    const whole = await answer(session, prompt, 12)
    await session.truncate(0)
    const begin = await answer(session, prompt, 5)
    const cached = [...session.tokens]
    const stop = new AbortController()
    const scoring = session.score!(encode('word '.repeat(400)), { signal: stop.signal })
    await sleep(100)
    stop.abort(new Error('enough'))
    await expect(scoring).rejects.toThrow('enough')
    expect(session.tokens).toEqual(cached)
    expect([...begin, ...(await answer(session, begin.slice(-1), 7))]).toEqual(whole)
  })
})

describe('grammars', () => {
  const ask = async (grammar: Grammar, seed = 1) => {
    const { model } = subject
    await using session = await model.openSession({ maxLength: 256 })
    const prompt = encode(
      model.chatTemplate.render([{ role: 'user', content: 'Describe a person as JSON.' }]),
    )
    const tokens: TokenId[] = []
    for await (const { token, logprob } of session.generate(prompt, {
      sampling: { temperature: 1, seed },
      grammar,
      topLogprobs: 2,
    })) {
      expect(logprob).toBeLessThanOrEqual(0)
      if (model.tokenizer.eosTokens.has(token) || tokens.length === 200) break
      tokens.push(token)
    }
    return model.tokenizer.decode(tokens)
  }

  it('make every answer fit the schema, even at a high temperature', async () => {
    const schema = {
      type: 'object',
      properties: {
        name: { type: 'string', maxLength: 12 },
        age: { type: 'integer', minimum: 1, maximum: 99 },
        tags: { type: 'array', items: { enum: ['a', 'b'] }, maxItems: 3 },
      },
      required: ['name', 'age', 'tags'],
      additionalProperties: false,
    }
    for (let seed = 0; seed < 5; seed++) {
      const person = JSON.parse(await ask({ type: 'json-schema', schema }, seed)) as Record<string, unknown>
      expect(Object.keys(person)).toEqual(['name', 'age', 'tags'])
      expect(person.age).toBeGreaterThanOrEqual(1)
      expect(person.age).toBeLessThanOrEqual(99)
    }
  })

  it('can be GBNF of the caller', async () => {
    expect(['yes', 'no']).toContain(await ask({ type: 'gbnf', source: 'root ::= "yes" | "no"' }))
  })

  it('that are invalid are refused, and the process survives', async () => {
    const { pid } = subject.model
    const wrong: Grammar[] = [
      { type: 'json-schema', schema: { type: 'nonsense' } },
      { type: 'gbnf', source: 'root ::= "a"{5,2}' },
      { type: 'gbnf', source: `root ::= ${'('.repeat(50_000)}"a"${')'.repeat(50_000)}` },
      { type: 'gbnf', source: 'root ::= root "a" | "b"' },
    ]
    for (const grammar of wrong) await expect(ask(grammar)).rejects.toBeInstanceOf(InvalidRequestError)
    expect(['yes', 'no']).toContain(await ask({ type: 'gbnf', source: 'root ::= "yes" | "no"' }))
    expect(subject.model.pid).toBe(pid)
  })
})

describe('embeddings', () => {
  it('are closer for texts of similar meaning', async () => {
    const embed = (text: string) => subject.model.embed!(encode(text))
    const cat = await embed('The cat sleeps on the sofa.')
    const kitten = await embed('A kitten is sleeping on the couch.')
    const tax = await embed('Section 4 of the tax code was amended in 1987.')
    const cosine = (a: Float32Array, b: Float32Array) =>
      a.reduce((sum, value, index) => sum + value * b[index]!, 0)
    expect(cat).toHaveLength(576)
    expect(cosine(cat, kitten)).toBeGreaterThan(cosine(cat, tax))
  })

  it('queue up, and are refused when the queue is full', async () => {
    await using small = await openTestModel({ config: { maxQueue: 2, sequences: 1 } })
    const tokens = small.model.tokenizer.encode('Hello')
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => small.model.embed!(tokens)))
    expect(outcomes.map(({ status }) => status)).toEqual([
      ...Array(3).fill('fulfilled'),
      ...Array(3).fill('rejected'),
    ])
    expect(outcomes[5]).toMatchObject({ reason: { code: 'capacity' } })
  })
})
