import { getLlama, type LlamaModel } from 'node-llama-cpp'
import { greedy, type SamplingParams, type TokenId } from '@petals-chat/engine'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultModelPath } from '../../../../tests/support/model.ts'
import type { AnswerToken, GenerateCommand } from '../protocol.ts'
import type { TokenSource } from './answer-guesses.ts'
import { BatchScheduler } from './batch-scheduler.ts'
import { Credit } from './credit.ts'
import { generate, LengthReached } from './generate.ts'
import { openNative, type NativeLayer } from './native.ts'
import { Sequence } from './sequence.ts'
import { ThreadGovernor } from './thread-governor.ts'

const maxLength = 256
/** Tokens of an answer. */
const count = 25
let native: NativeLayer
let model: LlamaModel
let sequences: readonly Sequence[]
let close: () => Promise<void>

beforeAll(async () => {
  const llama = await getLlama({ gpu: false, build: 'never', progressLogs: false, maxThreads: 1 })
  model = await llama.loadModel({ modelPath: await defaultModelPath() })
  const context = await model.createContext({ contextSize: maxLength, sequences: 3, threads: 1 })
  native = openNative(llama, model, context)
  sequences = [0, 1, 2].map((id) => new Sequence(id, native.context))
  close = async () => {
    for (const each of [context, model, llama]) await each.dispose()
  }
})
afterAll(() => close())

/** Knows the answer, and errs at every `error`-th place; `error` 0: never. */
class KnowingSource implements TokenSource {
  readonly hasGuess = true
  readonly #answer: readonly TokenId[]
  readonly #error: number
  #done = 0

  constructor(answer: readonly TokenId[], error: number) {
    this.#answer = answer
    this.#error = error
  }

  begin(): void {
    this.#done = 0
  }
  end(): void {}
  push(): void {
    this.#done++
  }
  survival(count: number): Float64Array {
    return new Float64Array(Math.min(count, this.#answer.length - this.#done)).fill(1)
  }
  draft(count: number): readonly TokenId[] {
    return this.#answer
      .slice(this.#done, this.#done + count)
      .map((token, index) => (this.#error && (this.#done + index) % this.#error === 0 ? token ^ 1 : token))
  }
}

/** Drafts as much as there is room for, whatever it costs. */
const eager = {
  plan: (answers: readonly { survival(): Float64Array; draft(count: number): readonly TokenId[] }[]) =>
    answers.map((answer) => answer.draft(answer.survival().length)),
  settle: () => {},
}

interface AnswerOptions {
  readonly prompt?: string
  readonly count?: number
  readonly source?: TokenSource | undefined
  readonly change?: Partial<GenerateCommand>
  readonly grammar?: string
  readonly slot?: number
  readonly scheduler?: BatchScheduler
  readonly onToken?: (token: AnswerToken, stop: AbortController) => void
}

const schedule = (drafts: boolean) =>
  new BatchScheduler({
    context: native.context,
    governor: new ThreadGovernor([1]),
    batchSize: 64,
    planner: drafts ? eager : undefined,
    onDispatch: () => {},
  })

async function answer(options: AnswerOptions = {}): Promise<AnswerToken[]> {
  const { prompt = 'Once upon a time, there was a', count: most = count, source, slot = 0 } = options
  const sequence = sequences[slot]!
  sequence.clear()
  const tokens: AnswerToken[] = []
  const stop = new AbortController()
  const command: GenerateCommand = {
    type: 'generate',
    request: slot,
    slot,
    tokens: model.tokenize(prompt, true),
    answered: 0,
    prediction: [],
    sampling: greedy,
    topLogprobs: undefined,
    grammar: options.grammar,
    maxLength,
    credit: most,
    ...options.change,
  }
  const running = generate(command, options.grammar ? native.startGrammar(options.grammar) : undefined, {
    native,
    scheduler: options.scheduler ?? schedule(source !== undefined),
    sequence,
    credit: new Credit(most),
    source,
    signal: stop.signal,
    isEndToken: (token) => model.isEogToken(token as never),
    send(token) {
      tokens.push(token)
      options.onToken?.(token, stop)
      // Nothing more may come without credit, nor after an end token.
      const isLast = tokens.length === most || model.isEogToken(token.token as never)
      if (isLast) setTimeout(() => stop.abort(new Error('read enough')), 50)
    },
  })
  await running.catch((error: unknown) => {
    if (!stop.signal.aborted) throw error
  })
  return tokens
}

const ids = (tokens: readonly AnswerToken[]) => tokens.map(({ token }) => token)
const counts = (tokens: readonly AnswerToken[]) => ({
  accepted: tokens.filter(({ wasDraft }) => wasDraft).length,
  rejected: tokens.reduce((sum, { rejected = 0 }) => sum + rejected, 0),
})

describe('an answer with guesses', () => {
  const ways: readonly (readonly [string, SamplingParams])[] = [
    ['greedy', greedy],
    ['sampled', { temperature: 1, topP: 0.95, seed: 7 }],
    [
      'sampled with penalties',
      { temperature: 0.8, seed: 3, repetitionPenalty: 1.2, presencePenalty: 0.4, frequencyPenalty: 0.3 },
    ],
  ]
  it.each(ways)('has the tokens of one without, %s, whatever was guessed', async (_name, sampling) => {
    const plain = ids(await answer({ change: { sampling } }))
    for (const error of [0, 1, 5]) {
      const tokens = await answer({ source: new KnowingSource(plain, error), change: { sampling } })
      expect(ids(tokens)).toEqual(plain)
      const { accepted, rejected } = counts(tokens)
      // The first token comes from the prompt, and each step chooses one after its guesses.
      if (error === 0) expect({ accepted, rejected }).toEqual({ accepted: count - 3, rejected: 0 })
      if (error === 1) expect({ accepted, rejected: rejected > 0 }).toEqual({ accepted: 0, rejected: true })
      if (error === 5) expect(Math.min(accepted, rejected)).toBeGreaterThan(0)
    }
  })

  it('has the log probabilities of one without', async () => {
    const change = { topLogprobs: 3 }
    const plain = await answer({ change })
    const tokens = await answer({ source: new KnowingSource(ids(plain), 5), change })
    for (const [index, { token, logprob, top }] of tokens.entries()) {
      expect(token).toBe(plain[index]!.token)
      expect(logprob).toBeCloseTo(plain[index]!.logprob!, 3)
      expect(top!.map(([id]) => id)).toEqual(plain[index]!.top!.map(([id]) => id))
    }
  })

  it('has the form that a grammar asks for', async () => {
    const grammar = 'root ::= "[" [0-9]+ ("," [0-9]+)* "]"'
    const sampling = { temperature: 1, seed: 11 }
    const plain = ids(await answer({ grammar, change: { sampling } }))
    expect(plain.length).toBeGreaterThan(3)
    for (const error of [0, 2]) {
      const tokens = await answer({ grammar, source: new KnowingSource(plain, error), change: { sampling } })
      expect(ids(tokens)).toEqual(plain)
    }
  })

  it('is the same beside other answers of the step', async () => {
    const prompts = ['Once upon a time, there was a', 'The three laws of robotics are', 'def fibonacci(n):']
    const plain: TokenId[][] = []
    for (const prompt of prompts) plain.push(ids(await answer({ prompt })))
    const scheduler = schedule(true)
    const together = await Promise.all(
      prompts.map((prompt, slot) => {
        const source = new KnowingSource(plain[slot]!, slot * 3)
        return answer({ prompt, slot, scheduler, source })
      }),
    )
    expect(together.map(ids)).toEqual(plain)
  })

  it('never goes beyond its credit, and leaves in the cache what it sent', async () => {
    const plain = ids(await answer())
    for (const most of [1, 2, 9, 20]) {
      const tokens = await answer({ count: most, source: new KnowingSource(plain, 0) })
      expect(ids(tokens)).toEqual(plain.slice(0, most))
      expect(sequences[0]!.tokens.slice(-most + 1 || Infinity)).toEqual(plain.slice(0, most - 1))
    }
  })

  it('fills a session to the last place and no further', async () => {
    const prompt = model.tokenize('Once upon a time, there was a', true)
    const plain = ids(await answer())
    const full = prompt.length + 21
    const sent: AnswerToken[] = []
    const source = new KnowingSource(plain, 0)
    const running = answer({ source, change: { maxLength: full }, onToken: (token) => sent.push(token) })
    await expect(running).rejects.toBeInstanceOf(LengthReached)
    expect(ids(sent)).toEqual(plain.slice(0, 22))
    expect(sequences[0]!.tokens).toHaveLength(full)
  })

  it('ends at an end token among its guesses', async () => {
    const end = model.tokens.eos!
    const plain = ids(await answer())
    const at = plain.slice(0, 5)
    const grammar = `root ::= "${model.detokenize(at as never).replaceAll('"', '\\"')}"`
    const source = new KnowingSource([...at, end, 1, 2, 3, 4, 5], 0)
    const tokens = ids(
      await answer({
        source,
        grammar,
      }),
    )
    expect(model.isEogToken(tokens.at(-1) as never)).toBe(true)
    expect(model.detokenize(tokens.slice(0, -1) as never)).toBe(model.detokenize(at as never))
    expect(sequences[0]!.tokens.at(-1)).toBe(tokens.at(-2))
  })

  it('stops within a step when it is aborted', async () => {
    const plain = ids(await answer())
    const source = new KnowingSource(plain, 0)
    const tokens = await answer({
      source,
      onToken: (_token, stop) => stop.abort(new Error('changed my mind')),
    })
    // The prompt's step has one token, and after it nothing more is computed.
    expect(ids(tokens)).toEqual(plain.slice(0, 1))
  })
})
