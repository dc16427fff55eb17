import { setImmediate } from 'node:timers/promises'
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
  type TokenGrammars,
  type TokenId,
  type TokenMatcher,
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
import { createSampler, type Sampler } from '../sampling/sampler.ts'
import type { HiddenStates } from '../tensor/hidden-states.ts'
import { SelectedLogits, type Logits } from '../tensor/logits.ts'

export interface PetalsSessionOptions {
  readonly model: Pick<Model, 'id' | 'tokenizer' | 'capabilities'>
  readonly maxLength: number
  readonly layers: LocalLayers
  /** The forms of answers that requests ask for. */
  readonly grammars: TokenGrammars
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

/** So few logits are computed from their rows of the LM head; for more, the pass over all is faster. */
const fewTokens = 128

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
    const { sampling, topLogprobs, grammar } = options
    const matcher = grammar && this.#options.grammars.matcher(grammar)
    const sampler = createSampler(sampling, sampling.seed ?? randomSeed())
    const answerStart = this.#tokens.length + tokens.length
    await this.#prewarming.settle(answerStart, options)

    let inputs = tokens // the prompt first, then one token in each step, and those that the grammar forces
    while (true) {
      const [outputs, allowed] = await bothOf(this.#run(inputs, options), allowedDuringStep(matcher))
      const last = rowsOf(outputs, inputs.length - 1, inputs.length)
      const chosen = await this.#choose(last, { sampler, answerStart, allowed, topLogprobs })
      matcher?.accept(chosen.token)
      yield chosen
      // The log probabilities of a token need the outputs of the one before it.
      const forced = topLogprobs === undefined ? this.#forced(matcher) : []
      for (const token of forced) yield { token }
      inputs = [chosen.token, ...forced]
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

  /** Chooses the next token by the outputs of the last position. */
  async #choose(
    output: HiddenStates,
    { sampler, answerStart, allowed, topLogprobs }: ChoiceOptions,
  ): Promise<GeneratedToken> {
    const history = { tokens: this.#tokens, answerStart }
    if (allowed && allowed.length <= fewTokens && topLogprobs === undefined) {
      if (allowed.length === 1) return { token: allowed[0]! }
      const few = this.#options.layers.logitsOf(output, allowed)
      return { token: sampler.sample(few, history, allowed) }
    }
    const [all] = await this.#logitsOf(output)
    const logits = allowed ? new SelectedLogits(all!, allowed) : all!
    const token = sampler.sample(logits, history, allowed)
    return topLogprobs === undefined ? { token } : describeToken(all!, token, topLogprobs)
  }

  /** Returns the next tokens for which the model need not be asked, as many as fit into the session with the last one. */
  #forced(matcher: TokenMatcher | undefined): readonly TokenId[] {
    const forced = matcher?.forced(this.maxLength - this.#tokens.length - 1) ?? []
    for (const token of forced) matcher!.accept(token)
    return forced
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

interface ChoiceOptions {
  readonly sampler: Sampler
  readonly answerStart: number
  /** The tokens that the grammar allows; undefined without one. */
  readonly allowed: Int32Array | undefined
  readonly topLogprobs: number | undefined
}

/** Finds the allowed tokens while the servers work: not before the step is sent. */
async function allowedDuringStep(matcher: TokenMatcher | undefined): Promise<Int32Array | undefined> {
  if (!matcher) return undefined
  await setImmediate()
  return matcher.allowed()
}

/** Waits for both even if one fails, so that nothing runs on after the error; the first one's error comes first. */
async function bothOf<First, Second>(
  first: Promise<First>,
  second: Promise<Second>,
): Promise<[First, Second]> {
  await Promise.allSettled([first, second])
  return [await first, await second]
}

/** Returns the positions [start, end). They share the memory of the given states. */
function rowsOf({ shape: [, hiddenSize], data }: HiddenStates, start: number, end: number): HiddenStates {
  return { shape: [end - start, hiddenSize], data: data.subarray(start * hiddenSize, end * hiddenSize) }
}
