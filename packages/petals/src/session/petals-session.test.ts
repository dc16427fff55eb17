import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  TokenGrammars,
  abortable,
  ContextLengthError,
  createDialogueTemplate,
  dialogueSchema,
  GenerationFailedError,
  MissingBlocksError,
  ModelUnavailableError,
  greedy,
  validateSessionLength,
  type AbortOptions,
  type GenerateOptions,
  type GeneratedToken,
  type Grammar,
  type Model,
  type Session,
} from '@petals-chat/engine'
import { engineComplianceTests, scriptedTokenizer } from '@petals-chat/engine/testing'
import { folderFiles } from '../../../../tests/support/folder-files.ts'
import { ConnectionLostError } from '../errors.ts'
import type { InferenceSession, OpenOptions } from '../inference/inference-session.ts'
import { openLocalLayers, type LocalLayers } from '../layers/local-layers.ts'
import { safetensorsFile, toyTensor } from '../layers/testing/toy-checkpoint.ts'
import { PetalsSession } from './petals-session.ts'
import { seededBits } from '../sampling/random.ts'
import type { HiddenStates } from '../tensor/hidden-states.ts'
import { runToyBlocks, toyBlocks } from '../testing/toy-block.ts'

const hidden = 64
const vocabulary = scriptedTokenizer.vocabSize
const blocks = 3

/** The blocks of a model in this process, in place of a swarm. */
class ToyInference implements InferenceSession {
  readonly historyBytes = 0
  readonly route = []
  readonly failovers = []
  readonly pushed = false
  position = 0
  closed = false
  /** Number of tokens of each step. */
  readonly steps: number[] = []
  /** Changes the outputs of the next step, or throws its error. */
  fault: ((outputs: HiddenStates) => HiddenStates) | undefined
  readonly #blocks = toyBlocks(0, blocks, hidden)

  /** The lengths of prewarms, in tokens, and the promise that a prewarm waits for. */
  readonly opened: (number | undefined)[] = []
  opening: Promise<void> = Promise.resolve()
  aborted: unknown

  async open({ length, signal }: OpenOptions = {}): Promise<void> {
    this.opened.push(length)
    try {
      await abortable(this.opening, signal)
    } catch (error) {
      this.aborted = error
      throw error
    }
  }

  async step({ shape, data }: HiddenStates, { signal }: AbortOptions = {}): Promise<HiddenStates> {
    signal?.throwIfAborted()
    await sleep(1, undefined, { signal }).catch(() => signal?.throwIfAborted())
    if (this.closed) throw new ConnectionLostError('The session is closed.')
    const outputs = {
      shape,
      data: runToyBlocks(this.#blocks, data, hidden, this.position, 'float32'),
    }
    const changed = this.fault?.(outputs) ?? outputs
    this.position += shape[0]
    this.steps.push(shape[0])
    return changed
  }

  rewind(position: number): void {
    this.position = position
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closed = true
  }
}

/** Gaussian weights, so that no token's logit is far above all others at every step. */
function weights(shape: readonly number[], seed: number) {
  const bits = seededBits(seed)
  const uniform = (): number => (bits() + 0.5) / 2 ** 32
  const { values } = toyTensor(shape, 0)
  return {
    shape,
    values: values.map(() => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()) * 0.3),
  }
}

/** Tokens below 256 are bytes. */
const vocabularyOfBytes = {
  size: vocabulary,
  bytesOf: (token: number) => (token < 256 ? Uint8Array.of(token) : undefined),
}
const grammars = new TokenGrammars({ tokenizer: scriptedTokenizer, vocabulary: vocabularyOfBytes })

let folder: string
let layers: LocalLayers
const inferences: ToyInference[] = []

class ToyModel implements Model {
  readonly id = 'toy'
  readonly contextLength = 512
  readonly tokenizer = scriptedTokenizer
  readonly chatTemplate = createDialogueTemplate(dialogueSchema.parse({}))
  readonly capabilities = { grammar: true, logprobs: true, promptLogprobs: true, embeddings: false }
  open = 0

  async openSession({ maxLength, signal }: AbortOptions & { readonly maxLength: number }): Promise<Session> {
    signal?.throwIfAborted()
    validateSessionLength(maxLength, this.contextLength)
    const inference = new ToyInference()
    inferences.push(inference)
    this.open++
    return new PetalsSession({
      model: this,
      maxLength,
      layers,
      grammars,
      inference,
      decodeMs: () => undefined,
      onClose: () => this.open--,
    })
  }
  async status() {
    return { state: 'ready' } as const
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'petals-session-'))
  const model = path.join(folder, 'model')
  await mkdir(model)
  await writeFile(
    path.join(model, 'config.json'),
    JSON.stringify({
      model_type: 'llama',
      vocab_size: vocabulary,
      hidden_size: hidden,
      num_hidden_layers: blocks,
    }),
  )
  await writeFile(
    path.join(model, 'model.safetensors'),
    safetensorsFile({
      'model.embed_tokens.weight': weights([vocabulary, hidden], 1),
      'model.norm.weight': weights([hidden], 2),
      'lm_head.weight': weights([vocabulary, hidden], 3),
    }),
  )
  layers = await openLocalLayers(folderFiles(model), { folder: path.join(folder, 'heads'), threads: 1 })
})
afterAll(async () => {
  await layers[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

engineComplianceTests(
  'a session over toy blocks',
  async () => ({ model: new ToyModel(), async [Symbol.asyncDispose]() {} }),
  { describe, it, beforeAll, afterAll },
  { logprobTolerance: 0.002 },
)

const prompt = scriptedTokenizer.encode('Once upon a time')

async function open(maxLength = 128) {
  const model = new ToyModel()
  const session = await model.openSession({ maxLength })
  return { model, session, inference: inferences.at(-1)! }
}

async function take(session: Session, tokens: readonly number[], count: number): Promise<number[]> {
  const taken: number[] = []
  for await (const { token } of session.generate(tokens, { sampling: { temperature: 0 } })) {
    if (taken.push(token) === count) break
  }
  return taken
}

/** Returns all logits of the toy model after these tokens, by plain arithmetic on all positions at once. */
function logitsAfter(tokens: readonly number[]): Promise<number[]> {
  const { data } = layers.embed(tokens)
  const outputs = runToyBlocks(toyBlocks(0, blocks, hidden), data, hidden, 0, 'float32')
  const last = { shape: [1, hidden] as const, data: outputs.subarray(-hidden) }
  return layers
    .logits(last)
    .then(([logits]) => Array.from({ length: vocabulary }, (_, token) => logits!.exact(token)))
}

describe('PetalsSession', () => {
  it('prefills in one step, then decodes token by token, with the results of one run over all tokens', async () => {
    const { session, inference } = await open()
    const ids = await take(session, prompt, 6)
    expect(inference.steps).toEqual([prompt.length, 1, 1, 1, 1, 1])
    for (let i = 0; i < ids.length; i++) {
      const logits = await logitsAfter([...prompt, ...ids.slice(0, i)])
      expect(ids[i]).toBe(logits.indexOf(Math.max(...logits)))
    }
    expect(session.tokens).toEqual([...prompt, ...ids.slice(0, -1)])
  })

  it('reports log probabilities of the whole vocabulary', async () => {
    const { session } = await open()
    const logits = await logitsAfter(prompt)
    const logSum = Math.log(logits.reduce((sum, value) => sum + Math.exp(value), 0))
    for await (const { token, logprob, topLogprobs } of session.generate(prompt, {
      sampling: { temperature: 0 },
      topLogprobs: 3,
    })) {
      expect(Math.abs(logprob! - (logits[token]! - logSum))).toBeLessThan(0.002)
      const best = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]!).slice(0, 3)
      expect(topLogprobs!.map((each) => each.token)).toEqual(best)
      break
    }
  })

  it('scores long prompts in several steps, each token by the tokens before it', async () => {
    const { session, inference } = await open(512)
    const tokens = Array.from({ length: 300 }, (_, i) => (i * 37) % 256)
    const scores = await session.score!(tokens)
    expect(inference.steps).toEqual([256, 44])
    expect(scores.length).toBe(300)
    for (const index of [1, 17, 255, 256, 257, 299]) {
      const logits = await logitsAfter(tokens.slice(0, index))
      const logSum = Math.log(logits.reduce((sum, value) => sum + Math.exp(value), 0))
      expect(Math.abs(scores[index]!.logprob! - (logits[tokens[index]!]! - logSum))).toBeLessThan(0.002)
    }
  })

  it('refuses to score beyond its length, and keeps its tokens', async () => {
    const { session } = await open(20)
    await session.score!(prompt.slice(0, 10))
    await expect(session.score!(prompt.slice(0, 11))).rejects.toThrow(ContextLengthError)
    expect(session.tokens).toEqual(prompt.slice(0, 10))
  })

  it('continues after a failed step as if it had not happened', async () => {
    const { session, inference } = await open()
    const expected = await take((await open()).session, prompt, 6)
    const first = await take(session, prompt, 3)
    inference.fault = () => {
      throw new ConnectionLostError('The server went away.')
    }
    const failed = take(session, first.slice(-1), 1)
    await expect(failed).rejects.toThrow(GenerationFailedError)
    await expect(failed).rejects.toThrow(/Generation with toy failed\. The server went away\. .*swarm status/)
    inference.fault = undefined
    expect(await take(session, first.slice(-1), 3)).toEqual(expected.slice(3))
  })

  it('passes engine errors through unchanged', async () => {
    const { session, inference } = await open()
    const missing = new MissingBlocksError([2], 'No server holds block 2.')
    inference.fault = () => {
      throw missing
    }
    await expect(take(session, prompt, 1)).rejects.toBe(missing)
  })

  it('hides the message of an unexpected error', async () => {
    const { session, inference } = await open()
    inference.fault = () => {
      throw new TypeError('secret of /home/user')
    }
    await expect(take(session, prompt, 1)).rejects.toThrow(/^(?!.*secret).*This program has a fault/)
  })

  it('reports hidden states that are not finite', async () => {
    const { session, inference } = await open()
    inference.fault = ({ shape, data }) => ({ shape, data: data.map(() => NaN) })
    await expect(take(session, prompt, 1)).rejects.toThrow(/NaN or infinite/)
  })

  it('closes its inference session once', async () => {
    const { model, session, inference } = await open()
    await session[Symbol.asyncDispose]()
    await session[Symbol.asyncDispose]()
    expect(model.open).toBe(0)
    expect(inference.closed).toBe(true)
    await expect(take(session, prompt, 1)).rejects.toThrow(ModelUnavailableError)
  })

  describe('prewarming', () => {
    it('opens for the expected tokens, within the length of the session', async () => {
      const { session, inference } = await open(512)
      await session.prewarm!()
      await session.prewarm!({ promptLength: 40 })
      await session.prewarm!({ promptLength: 4000 })
      expect(inference.opened).toEqual([512, 40, 512])
    })

    it('makes an answer wait for a running prewarm', async () => {
      const { session, inference } = await open()
      const { promise, resolve } = Promise.withResolvers<void>()
      inference.opening = promise
      const opening = session.prewarm!()
      const answer = take(session, prompt, 2)
      await sleep(20)
      expect(inference.steps).toEqual([])
      resolve()
      await opening
      expect((await answer).length).toBe(2)
      expect(inference.aborted).toBeUndefined()
    })

    it('is cancelled if more tokens come than it opened for', async () => {
      const { session, inference } = await open()
      inference.opening = Promise.withResolvers<void>().promise
      const opening = session.prewarm!({ promptLength: 3 })
      expect((await take(session, prompt, 2)).length).toBe(2)
      await opening
      expect(inference.aborted).toBeInstanceOf(Error)
    })

    it('rejects with the failure, and the answer tries again', async () => {
      const { session, inference } = await open()
      inference.opening = sleep(10).then(() => {
        throw new ConnectionLostError('The server went away.')
      })
      const opening = expect(session.prewarm!()).rejects.toThrow(GenerationFailedError)
      expect((await take(session, prompt, 2)).length).toBe(2)
      await opening
    })

    it('ends with the session, and by its signal', async () => {
      const { session, inference } = await open()
      inference.opening = Promise.withResolvers<void>().promise
      const reason = new Error('the user left')
      await expect(session.prewarm!({ signal: AbortSignal.timeout(5) })).rejects.toThrow(/timeout/)
      await expect(session.prewarm!({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
      const opening = session.prewarm!()
      await session[Symbol.asyncDispose]()
      await opening
      await expect(session.prewarm!()).rejects.toThrow(ModelUnavailableError)
    })
  })

  it('repeats an answer with the same seed', async () => {
    const sampling = { temperature: 1.2, topP: 0.9, repetitionPenalty: 1.1, seed: 99 }
    const run = async (): Promise<number[]> => {
      const { session } = await open()
      const ids: number[] = []
      for await (const { token } of session.generate(prompt, { sampling })) if (ids.push(token) === 20) break
      return ids
    }
    const ids = await run()
    expect(await run()).toEqual(ids)
    expect(new Set(ids).size).toBeGreaterThan(3)
  })
})

describe('an answer in a given form', () => {
  const place: Grammar = {
    type: 'json-schema',
    schema: {
      type: 'object',
      properties: { place: { enum: ['Paris', 'Rome'] }, size: { type: 'integer', minimum: 1, maximum: 99 } },
      required: ['place', 'size'],
      additionalProperties: false,
    },
  }
  const prompt = scriptedTokenizer.encode('Where is it?')

  async function answer(options: Partial<GenerateOptions>, maxLength = 200) {
    await using session = await new ToyModel().openSession({ maxLength })
    const generated: GeneratedToken[] = []
    const sampling = { temperature: 1, seed: 5 }
    for await (const each of session.generate(prompt, { sampling, grammar: place, ...options })) {
      if (scriptedTokenizer.eosTokens.has(each.token)) break
      generated.push(each)
    }
    const { steps } = inferences.at(-1)!
    return { generated, text: scriptedTokenizer.decode(generated.map(({ token }) => token)), steps }
  }

  it('takes fewer steps than tokens: what is forced goes along with the token before it', async () => {
    const { text, generated, steps } = await answer({})
    expect(JSON.parse(text)).toEqual({
      place: expect.stringMatching(/^(Paris|Rome)$/),
      size: expect.any(Number),
    })
    expect(steps.length).toBeLessThan(generated.length / 2)
    // All but the last token, whose end token is forced.
    expect(steps.reduce((sum, count) => sum + count, 0)).toBeLessThan(prompt.length + generated.length)
  })

  it('repeats itself with a seed, and differs with another', async () => {
    const texts = await Promise.all(
      [1, 1, 2, 3, 4, 5, 6, 7].map(
        async (seed) => (await answer({ sampling: { temperature: 2, seed } })).text,
      ),
    )
    expect(texts[1]).toBe(texts[0])
    expect(new Set(texts).size).toBeGreaterThan(2)
  })

  it('obeys penalties, biases and filters among the allowed tokens', async () => {
    const [p, r] = scriptedTokenizer.encode('PR') as [number, number]
    const towards = async (wanted: number, other: number) =>
      (
        await answer({
          sampling: {
            temperature: 1,
            topK: 3,
            topP: 0.9,
            minP: 0.01,
            repetitionPenalty: 1.1,
            presencePenalty: 0.5,
            frequencyPenalty: 0.5,
            seed: 3,
            logitBias: new Map([
              [wanted, 100],
              [other, -100],
            ]),
          },
        })
      ).text
    expect([await towards(p, r), await towards(r, p)]).toEqual([
      expect.stringContaining('Paris'),
      expect.stringContaining('Rome'),
    ])
  })

  it('gives the log probabilities that the model has without the form, one step for each token', async () => {
    const { generated, text, steps } = await answer({ sampling: greedy, topLogprobs: 2 })
    expect(Object.keys(JSON.parse(text) as object)).toEqual(['place', 'size'])
    expect(steps.length).toBe(generated.length + 1)
    await using session = await new ToyModel().openSession({ maxLength: 200 })
    const tokens = generated.map(({ token }) => token)
    const scores = await session.score!([...prompt, ...tokens], { topLogprobs: 2 })
    for (const [index, { token, logprob, topLogprobs }] of generated.entries()) {
      const score = scores[prompt.length + index]!
      expect(score.token).toBe(token)
      expect(logprob).toBeCloseTo(score.logprob!, 2)
      expect(topLogprobs!.map((each) => each.token)).toEqual(score.topLogprobs.map((each) => each.token))
    }
  })

  it('never fills the session beyond its length with forced tokens', async () => {
    await expect(answer({}, prompt.length + 6)).rejects.toThrow(ContextLengthError)
    expect(inferences.at(-1)!.position).toBeLessThanOrEqual(prompt.length + 6)
  })

  it('refuses a form that can’t be enforced before any step', async () => {
    const evil: Grammar = { type: 'regex', pattern: '^(a?){500}a{500}$' }
    await expect(answer({ grammar: evil })).rejects.toThrow(/work limit/)
    expect(inferences.at(-1)!.steps).toEqual([])
  })

  it('ends with the reason of the signal, or the fault of a server, and then answers in the same form', async () => {
    await using session = await new ToyModel().openSession({ maxLength: 200 })
    const inference = inferences.at(-1)!
    const reason = new Error('enough')
    const controller = new AbortController()
    const decode = async (options: Partial<GenerateOptions>, atToken?: () => void): Promise<string> => {
      await session.truncate(0)
      const tokens: number[] = []
      for await (const { token } of session.generate(prompt, {
        sampling: greedy,
        grammar: place,
        ...options,
      })) {
        if (scriptedTokenizer.eosTokens.has(token)) break
        if (tokens.push(token) === 14) atToken?.()
      }
      return scriptedTokenizer.decode(tokens)
    }
    const whole = await decode({})
    await expect(decode({ signal: controller.signal }, () => controller.abort(reason))).rejects.toBe(reason)
    const lose = (): void => {
      inference.fault = () => {
        throw new ConnectionLostError('The server is gone.')
      }
    }
    await expect(decode({}, lose)).rejects.toThrow(GenerationFailedError)
    inference.fault = undefined
    expect(await decode({})).toBe(whole)
  })

  it('keeps the session usable when the caller stops among forced tokens', async () => {
    await using session = await new ToyModel().openSession({ maxLength: 200 })
    const taken: number[] = []
    for await (const { token } of session.generate(prompt, { sampling: greedy, grammar: place }))
      if (taken.push(token) === 3) break
    expect(session.tokens).toEqual([...prompt, ...taken].slice(0, session.tokens.length))
    const rest: number[] = []
    const missing = [...prompt, ...taken].slice(session.tokens.length)
    for await (const { token } of session.generate(missing, { sampling: greedy }))
      if (rest.push(token) === 2) break
    expect(session.tokens).toEqual([...prompt, ...taken, rest[0]])
  })
})
