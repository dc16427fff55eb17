import {
  CapacityError,
  commonPrefixLength,
  greedy,
  type Logger,
  type Model,
  type Session,
  type TokenId,
} from '@petals-chat/engine'
import { usualOfModels } from '@petals-chat/engine/drafting'

/** So long a pause is usual on a busy machine. */
const leastPatienceMs = 5

/** Tokens of the trial that shows how long a token takes. */
const trialTokens = 9

/** Drafts whose times are remembered. */
const windowLength = 9

/** How often guesses are right in all texts: each guess counts this much. */
const shareOfGuess = 1 / 200

/** A session whose cache begins with this many tokens of a text is taken for it, rather than an empty one. */
const usefulPrefix = 32

export interface DraftModelOptions {
  /** A small model with the same tokens. Closed with this. */
  readonly model: Model
  /** Tokens of the large model: none beyond is drafted. */
  readonly vocabularySize: number
  readonly logger: Logger
  /** Drafts may take this many milliseconds, however fast the model usually is (default 5). */
  readonly leastPatienceMs?: number | undefined
}

/** A small model on this machine that guesses what a large one will say: its sessions, and what was learnt of it. */
export class DraftModel implements AsyncDisposable {
  readonly #options: DraftModelOptions
  /** Those that no answer uses; the one that was used last stands last. */
  readonly #idle: Session[] = []
  readonly #times: number[] = []
  #tokenMs = 0
  #usual = usualOfModels
  /** The latest answer that could use its drafts did. */
  wasUsed = false

  private constructor(options: DraftModelOptions) {
    this.#options = options
  }

  /** Measures how long a token takes. @throws errors of the model's engine, after which it is the caller's to close */
  static async open(options: DraftModelOptions): Promise<DraftModel> {
    const draftModel = new DraftModel(options)
    const { model } = options
    const session = await model.openSession({ maxLength: model.contextLength })
    const prompt = [model.tokenizer.bosToken ?? 0]
    let first: number | undefined
    for await (const _ of session.generate(prompt, { sampling: greedy, maxNewTokens: trialTokens }))
      first ??= performance.now()
    draftModel.noteTime(trialTokens - 1, performance.now() - first!)
    draftModel.#idle.push(session)
    return draftModel
  }

  get contextLength(): number {
    return this.#options.model.contextLength
  }

  get memoryBytes(): number {
    return this.#options.model.memoryBytes ?? 0
  }

  get logger(): Logger {
    return this.#options.logger
  }

  get leastPatienceMs(): number {
    return this.#options.leastPatienceMs ?? leastPatienceMs
  }

  /** Median time of a token, in milliseconds. */
  get tokenMs(): number {
    return this.#tokenMs
  }

  /** How often its guesses are right, over all texts. */
  get usual(): number {
    return this.#usual
  }

  /** Reports whether drafts should end after this token. */
  isEnd(token: TokenId): boolean {
    return this.#options.model.tokenizer.eosTokens.has(token)
  }

  isKnown(token: TokenId): boolean {
    return token < this.#options.vocabularySize
  }

  noteTime(tokens: number, ms: number): void {
    this.#times.push(ms / tokens)
    if (this.#times.length > windowLength) this.#times.shift()
    this.#tokenMs = this.#times.toSorted((a, b) => a - b)[(this.#times.length - 1) >> 1]!
  }

  noteGuess(isRight: boolean): void {
    this.#usual += ((isRight ? 1 : 0) - this.#usual) * shareOfGuess
  }

  /** Takes a session, if possible one that has the beginning of this text in its cache; undefined if all are in use. */
  async take(text: readonly TokenId[]): Promise<Session | undefined> {
    const [best] = this.#idle
      .map((session) => ({ session, same: commonPrefixLength(session.tokens, text) }))
      .toSorted((a, b) => b.same - a.same)
    if (best && best.same >= usefulPrefix) return this.#takeIdle(best.session)
    return (await this.#openSession()) ?? this.#takeIdle(this.#idle[0])
  }

  /** Gives a session back after use. */
  giveBack(session: Session): void {
    this.#idle.push(session)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.model[Symbol.asyncDispose]()
  }

  #takeIdle(session: Session | undefined): Session | undefined {
    if (session) this.#idle.splice(this.#idle.indexOf(session), 1)
    return session
  }

  async #openSession(): Promise<Session | undefined> {
    const { model } = this.#options
    try {
      return await model.openSession({ maxLength: model.contextLength })
    } catch (error) {
      if (error instanceof CapacityError) return undefined
      throw error
    }
  }
}
