import {
  ContextLengthError,
  ModelUnavailableError,
  SessionGuard,
  validateGenerateOptions,
  validateTokens,
  validateTopLogprobs,
  validateTruncation,
  type AbortOptions,
  type GenerateOptions,
  type GeneratedToken,
  type Model,
  type PrewarmOptions,
  type RouteReport,
  type ScoreOptions,
  type Session,
  type TokenId,
  type TokenScore,
  type WaitOptions,
} from '@petals-chat/engine'
import { toEngineError } from './engine-errors.ts'
import type { InferenceSession } from '../inference/inference-session.ts'
import type { LocalLayers } from '../layers/local-layers.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import { Prewarming } from './prewarming.ts'
import { reportRoute } from './route-report.ts'
import { describeToken } from '../sampling/logprobs.ts'
import { createSampler } from '../sampling/sampler.ts'
import type { HiddenStates } from '../tensor/hidden-states.ts'
import type { Logits } from '../tensor/logits.ts'

export interface PetalsSessionOptions {
  readonly model: Pick<Model, 'id' | 'tokenizer' | 'capabilities'>
  readonly maxLength: number
  readonly layers: LocalLayers
  readonly inference: InferenceSession
  /** Median time of a decode step on a server, milliseconds; undefined before the first. */
  readonly decodeMs: (peer: PeerId) => number | undefined
  readonly onClose: () => void
}

const randomSeed = (): number => crypto.getRandomValues(new Uint32Array(1))[0]!

/** Positions of a prompt that one step of the swarm scores. The work ends within one step after the client disconnects. */
const tokensPerScoringStep = 256

/** Positions whose logits are in memory at a time (16 × 250880 of BLOOM: 32 MB with their bounds). */
const scoredAtOnce = 16

/** A session whose KV cache is on the swarm's servers: they run the blocks, this process the embeddings and the LM head. */
export class PetalsSession implements Session {
  readonly maxLength: number
  readonly #options: PetalsSessionOptions
  readonly #guard = new SessionGuard()
  readonly #prewarming: Prewarming
  readonly #tokens: TokenId[] = []

  constructor(options: PetalsSessionOptions) {
    this.#options = options
    this.maxLength = options.maxLength
    this.#prewarming = new Prewarming(options.inference, options.maxLength)
  }

  get tokens(): readonly TokenId[] {
    return this.#tokens
  }

  async *generate(
    tokens: readonly TokenId[],
    options: GenerateOptions,
  ): AsyncGenerator<GeneratedToken, void, undefined> {
    using _call = this.#guard.enter()
    options.signal?.throwIfAborted()
    validateTokens(tokens, this.#options.model.tokenizer.vocabSize)
    validateGenerateOptions(options, this.#options.model)
    const { sampling, topLogprobs } = options
    const sampler = createSampler(sampling, sampling.seed ?? randomSeed())
    const answerStart = this.#tokens.length + tokens.length
    await this.#prewarming.settle(answerStart, options)

    let inputs = tokens // the prompt first, then one token in each step
    while (true) {
      const outputs = await this.#run(inputs, options)
      const [logits] = await this.#logitsOf(rowsOf(outputs, inputs.length - 1, inputs.length))
      const token = sampler.sample(logits!, { tokens: this.#tokens, answerStart })
      yield topLogprobs === undefined ? { token } : describeToken(logits!, token, topLogprobs)
      inputs = [token]
    }
  }

  async score(tokens: readonly TokenId[], options: ScoreOptions = {}): Promise<readonly TokenScore[]> {
    using _call = this.#guard.enter()
    options.signal?.throwIfAborted()
    validateTokens(tokens, this.#options.model.tokenizer.vocabSize)
    const { topLogprobs = 0 } = options
    validateTopLogprobs(topLogprobs)
    this.#requireRoom(tokens.length)
    await this.#prewarming.settle(this.#tokens.length + tokens.length, options)
    // The first token's probability needs the output of the token before it, which was not kept: that token runs again.
    const before = this.#tokens.at(-1)
    if (before !== undefined) this.#rewind(this.#tokens.length - 1)
    const inputs = before === undefined ? tokens : [before, ...tokens]
    const scores: TokenScore[] =
      before === undefined ? [{ token: tokens[0]!, logprob: undefined, topLogprobs: [] }] : []
    for (let start = 0; start < inputs.length; start += tokensPerScoringStep) {
      const end = Math.min(start + tokensPerScoringStep, inputs.length)
      const outputs = await this.#run(inputs.slice(start, end), options)
      scores.push(...(await this.#scoresAfter(outputs, inputs.slice(start + 1, end + 1), topLogprobs)))
    }
    return scores
  }

  async prewarm(options: PrewarmOptions = {}): Promise<void> {
    const { model } = this.#options
    options.signal?.throwIfAborted()
    {
      using _call = this.#guard.enter() // refuses while another call runs; later calls may start before this one ends
    }
    try {
      await this.#prewarming.open(options)
    } catch (error) {
      throw toEngineError(error, model.id, options.signal)
    }
  }

  route(): RouteReport {
    return reportRoute(this.#options.inference, this.#options.decodeMs)
  }

  memoryBytes(): number {
    return this.#options.inference.historyBytes
  }

  async truncate(length: number, options: AbortOptions = {}): Promise<void> {
    using _call = this.#guard.enter()
    options.signal?.throwIfAborted()
    validateTruncation(length, this.#tokens.length)
    await this.#prewarming.settle(0, options)
    this.#rewind(length)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#guard.close()) return
    this.#options.onClose()
    this.#prewarming.close()
    await this.#options.inference[Symbol.asyncDispose]()
  }

  #rewind(length: number): void {
    this.#options.inference.rewind(length)
    this.#tokens.length = length
  }

  /** Runs `tokens` through the swarm and adds them to the KV cache. Returns the outputs of the last block. */
  async #run(
    tokens: readonly TokenId[],
    { onWait, signal }: AbortOptions & WaitOptions,
  ): Promise<HiddenStates> {
    const { layers, inference, model } = this.#options
    if (this.#guard.closed) throw new ModelUnavailableError('The session was closed.')
    this.#requireRoom(tokens.length)
    try {
      const outputs = await inference.step(layers.embed(tokens), { onWait, signal })
      for (const token of tokens) this.#tokens.push(token)
      return outputs
    } catch (error) {
      throw toEngineError(error, model.id, signal)
    }
  }

  async #logitsOf(outputs: HiddenStates): Promise<readonly Logits[]> {
    try {
      return await this.#options.layers.logits(outputs)
    } catch (error) {
      throw toEngineError(error, this.#options.model.id)
    }
  }

  #requireRoom(count: number): void {
    const needed = this.#tokens.length + count
    if (needed > this.maxLength) throw new ContextLengthError(needed, this.maxLength)
  }

  /** Scores each token of `next` by the outputs of the position with the same index. */
  async #scoresAfter(
    outputs: HiddenStates,
    next: readonly TokenId[],
    topLogprobs: number,
  ): Promise<readonly TokenScore[]> {
    const scores: TokenScore[] = []
    for (let start = 0; start < next.length; start += scoredAtOnce) {
      const end = Math.min(start + scoredAtOnce, next.length)
      const logits = await this.#logitsOf(rowsOf(outputs, start, end))
      for (const [index, each] of logits.entries())
        scores.push(describeToken(each, next[start + index]!, topLogprobs))
    }
    return scores
  }
}

/** Returns the positions [start, end). They share the memory of the given states. */
function rowsOf({ shape: [, hiddenSize], data }: HiddenStates, start: number, end: number): HiddenStates {
  return { shape: [end - start, hiddenSize], data: data.subarray(start * hiddenSize, end * hiddenSize) }
}
