import { setImmediate } from 'node:timers/promises'
import {
  ContextLengthError,
  ModelUnavailableError,
  SessionGuard,
  validateGenerateOptions,
  validateTokens,
  validateTopLogprobs,
  commonPrefixLength,
  validateTruncation,
  type AbortOptions,
  type DraftCount,
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
import type { InferenceSession, StepOptions } from '../inference/inference-session.ts'
import type { LocalLayers } from '../layers/local-layers.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import { Prewarming } from './prewarming.ts'
import { reportRoute } from './route-report.ts'
import { Speculation, type SpeculationOptions } from './speculation.ts'
import { rowsOf, StepRows } from './step-rows.ts'
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
  readonly speculation: SpeculationOptions
  readonly onClose: () => void
}

const randomSeed = (): number => crypto.getRandomValues(new Uint32Array(1))[0]!

/** Positions of a prompt that one step of the swarm scores. The work ends within one step after the client disconnects. */
const tokensPerScoringStep = 256

/** Positions whose logits are in memory at a time (16 × 250880 of BLOOM: estimates of 8 MB). */
const scoredAtOnce = 16

/** So few logits are computed from their rows of the LM head; for more, the pass over all is faster. */
const fewTokens = 128

/** A session whose KV cache is on the swarm's servers: they run the blocks, this process the embeddings and the LM head. */
export class PetalsSession implements Session {
  readonly maxLength: number
  readonly #options: PetalsSessionOptions
  readonly #guard = new SessionGuard()
  readonly #prewarming: Prewarming
  readonly #speculation: Speculation
  readonly #tokens: TokenId[] = []

  constructor(options: PetalsSessionOptions) {
    this.#options = options
    this.maxLength = options.maxLength
    this.#prewarming = new Prewarming(options.inference, options.maxLength)
    this.#speculation = new Speculation({
      ...options.speculation,
      model: options.model.id,
      inference: options.inference,
      vocabularySize: options.model.tokenizer.vocabSize,
    })
  }

  get tokens(): readonly TokenId[] {
    return this.#tokens
  }

  /** Servers have been found for it, or had been. */
  get hasBegun(): boolean {
    return this.#tokens.length > 0 || this.#options.inference.route.length > 0
  }

  async *generate(
    tokens: readonly TokenId[],
    options: GenerateOptions,
  ): AsyncGenerator<GeneratedToken, void, undefined> {
    using _call = this.#guard.enter()
    options.signal?.throwIfAborted()
    validateTokens(tokens, this.#options.model.tokenizer.vocabSize)
    validateGenerateOptions(options, this.#options.model)
    const { sampling, grammar } = options
    const matcher = grammar && this.#options.grammars.matcher(grammar)
    const sampler = createSampler(sampling, sampling.seed ?? randomSeed())
    const answerStart = this.#tokens.length + tokens.length
    await this.#prewarming.settle(answerStart, options)

    const prompt = [...this.#tokens, ...tokens]
    const answer = {
      ...options,
      prompt,
      sampler,
      answerStart,
      matcher,
      left: options.maxNewTokens ?? Infinity,
    }
    // The prompt first; then the token that was chosen last, with those that the grammar forces after it, and drafts.
    let step: Step | undefined = { isPrompt: true, known: tokens, drafts: [] }
    this.#speculation.begins()
    try {
      while (step) step = yield* this.#round(step, answer)
    } finally {
      this.#forgetDrafts()
      this.#speculation.stops()
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
    const { inference, decodeMs } = this.#options
    return { ...reportRoute(inference, decodeMs), tokensPerStep: this.#speculation.tokensPerStep }
  }

  drafts(): DraftCount {
    return this.#speculation.count
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

  /** Runs a step, gives the tokens that its outputs choose, and returns the next step; undefined at the end of the answer. */
  async *#round(step: Step, answer: Answer): AsyncGenerator<GeneratedToken, Step | undefined, undefined> {
    const { known, drafts, isPrompt } = step
    const { matcher, signal } = answer
    const speculation = this.#speculation
    speculation.starts(known.length, drafts)
    let isUsual = !isPrompt
    const onWait: Answer['onWait'] = (wait) => {
      isUsual = false
      answer.onWait?.(wait)
    }
    const [rows, first] = await bothOf(
      this.#rowsAfter(step, { onWait, signal }),
      this.#preparedDuringStep(step, answer),
    )
    let allowed = first
    let confirmed = 0 // drafts that are part of the answer
    while (true) {
      const chosen = await this.#choose(rows, confirmed, { ...answer, allowed })
      matcher?.accept(chosen.token)
      speculation.emits(chosen.token, false)
      yield chosen
      if (--answer.left === 0) return undefined
      speculation.resumes()
      // The log probabilities of a token need the outputs of the one before it.
      const forced = answer.topLogprobs === undefined ? this.#forced(matcher) : []
      for (const token of forced) {
        speculation.emits(token, true)
        yield { token }
        if (--answer.left === 0) return undefined
        speculation.resumes()
      }
      const next = [chosen.token, ...forced]
      const same = commonPrefixLength(next, drafts.slice(confirmed))
      for (const token of next.slice(0, same)) this.#tokens.push(token)
      confirmed += same
      if (same < next.length) return await this.#nextStep(next.slice(same), isUsual, answer)
      this.#requireOpen()
      signal?.throwIfAborted()
      allowed = matcher?.allowed()
    }
  }

  async #nextStep(known: readonly TokenId[], isUsual: boolean, { left, signal }: Answer): Promise<Step> {
    this.#forgetDrafts()
    this.#speculation.ends(isUsual)
    // The last token of an answer is chosen after the last draft that is right.
    const room = Math.min(this.maxLength - this.#tokens.length - known.length, left - 1)
    return { isPrompt: false, known, drafts: await this.#speculation.draft(known.length, room, signal) }
  }

  /** Drops from the KV cache what was drafted and is not part of the answer. */
  #forgetDrafts(): void {
    const { inference } = this.#options
    if (this.#guard.closed || inference.position <= this.#tokens.length) return
    inference.rewind(this.#tokens.length)
  }

  async #rowsAfter(
    { known, drafts, isPrompt }: Step,
    options: AbortOptions & WaitOptions,
  ): Promise<StepRows> {
    const outputs = await this.#run(known, { ...options, isAnswer: !isPrompt }, drafts)
    const rows = rowsOf(outputs, known.length - 1, known.length + drafts.length)
    return new StepRows(rows, (each) => this.#logitsOf(each))
  }

  /** Does while the servers work what needs no outputs: not before the step is sent. Returns the allowed tokens. */
  async #preparedDuringStep(
    { isPrompt }: Step,
    { matcher, prompt, prediction }: Answer,
  ): Promise<Int32Array | undefined> {
    if (!matcher && !isPrompt) return undefined
    await setImmediate()
    if (isPrompt) this.#speculation.reads(prompt, prediction)
    return matcher?.allowed()
  }

  #rewind(length: number): void {
    this.#options.inference.rewind(length)
    this.#tokens.length = length
  }

  /**
   * Runs `tokens` through the swarm and adds them to the KV cache, and drafts after them, which stay outside until they are
   * confirmed. Returns the outputs of the last block.
   */
  async #run(
    tokens: readonly TokenId[],
    options: StepOptions,
    drafts: readonly TokenId[] = [],
  ): Promise<HiddenStates> {
    const { layers, inference, model } = this.#options
    this.#requireOpen()
    this.#requireRoom(tokens.length)
    try {
      const outputs = await inference.step(layers.embed([...tokens, ...drafts]), options)
      for (const token of tokens) this.#tokens.push(token)
      return outputs
    } catch (error) {
      throw toEngineError(error, model.id, options.signal)
    }
  }

  /** Chooses the next token by a row of the outputs. */
  async #choose(
    rows: StepRows,
    row: number,
    { sampler, answerStart, allowed, topLogprobs }: ChoiceOptions,
  ): Promise<GeneratedToken> {
    const history = { tokens: this.#tokens, answerStart }
    if (allowed && allowed.length <= fewTokens && topLogprobs === undefined) {
      if (allowed.length === 1) return { token: allowed[0]! }
      const few = this.#options.layers.logitsOf(rows.row(row), allowed)
      return { token: sampler.sample(few, history, allowed) }
    }
    const all = await rows.logits(row)
    const logits = allowed ? new SelectedLogits(all, allowed) : all
    const token = sampler.sample(logits, history, allowed)
    return topLogprobs === undefined ? { token } : describeToken(all, token, topLogprobs)
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

  #requireOpen(): void {
    if (this.#guard.closed) throw new ModelUnavailableError('The session was closed.')
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

/** An answer that is being generated. */
interface Answer extends GenerateOptions {
  readonly sampler: Sampler
  /** Index in the session's tokens at which the answer begins. */
  readonly answerStart: number
  /** All tokens before the answer. */
  readonly prompt: readonly TokenId[]
  readonly matcher: TokenMatcher | undefined
  /** Tokens that the caller still takes. */
  left: number
}

/** What one step runs. */
interface Step {
  readonly isPrompt: boolean
  /** Tokens of the prompt, or of the answer so far. */
  readonly known: readonly TokenId[]
  /** Guesses of what follows: the outputs of each position show whether the next one was right. */
  readonly drafts: readonly TokenId[]
}

interface ChoiceOptions extends Pick<Answer, 'sampler' | 'answerStart' | 'topLogprobs'> {
  /** The tokens that the grammar allows; undefined without one. */
  readonly allowed: Int32Array | undefined
}

/** Waits for both even if one fails, so that nothing runs on after the error; the first one's error comes first. */
async function bothOf<First, Second>(
  first: Promise<First>,
  second: Promise<Second>,
): Promise<[First, Second]> {
  await Promise.allSettled([first, second])
  return [await first, await second]
}
