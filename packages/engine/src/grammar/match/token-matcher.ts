import { GenerationFailedError } from '../../errors.ts'
import type { TokenId, Tokenizer } from '../../tokenizer.ts'
import type { Automaton, State } from './automaton.ts'
import type { Vocabulary, VocabularyTrie } from './vocabulary-trie.ts'

/** What all answers of one model share. */
export interface MatchedModel {
  readonly tokenizer: Pick<Tokenizer, 'encode' | 'eosTokens'>
  readonly vocabulary: Vocabulary
  readonly trie: VocabularyTrie
}

/**
 * Steps of an automaton that one answer may cause: passes over the vocabulary at first, and more with each token, since most
 * states occur again and cost nothing then; and some besides, for vocabularies that are small.
 */
const FIRST_PASSES = 20
const PASSES_PER_TOKEN = 2
const SPARE_STEPS = 50_000

/** Bytes that are found at a time where only one text fits. */
const MAX_FORCED_BYTES = 200

/** Follows one answer through a grammar, and tells which tokens may come next. */
export class TokenMatcher {
  readonly #model: MatchedModel
  readonly #automaton: Automaton
  readonly #readable: (state: State) => Int32Array
  readonly #ends: Int32Array
  #state: State
  #ended = false
  readonly #mostWork: number
  #workLeft: number

  /** @param readable - returns the tokens that may follow in a state, end tokens included; answers share what it keeps */
  constructor(model: MatchedModel, automaton: Automaton, readable: (state: State) => Int32Array) {
    this.#model = model
    this.#automaton = automaton
    this.#readable = readable
    this.#ends = Int32Array.from(model.tokenizer.eosTokens).sort()
    this.#state = automaton.start
    this.#mostWork = FIRST_PASSES * (model.trie.nodes + SPARE_STEPS)
    this.#workLeft = this.#mostWork
  }

  /** The answer is complete: only an end token may follow. */
  get isComplete(): boolean {
    return this.#ended || (this.#state.accepts && this.#state.ways.length === 0)
  }

  /**
   * Returns the tokens that may come next, in ascending order.
   * @throws InvalidRequestError if the grammar takes too much work, GenerationFailedError if no token fits
   */
  allowed(): Int32Array {
    if (this.isComplete) return this.#required(this.#ends)
    return this.#required(this.#bounded(() => this.#readable(this.#state)))
  }

  /** Goes on by a token, which must be allowed. @throws InvalidRequestError if the grammar takes too much work */
  accept(token: TokenId): void {
    const more = PASSES_PER_TOKEN * this.#model.trie.nodes + SPARE_STEPS
    this.#workLeft = Math.min(this.#mostWork, this.#workLeft + more)
    if (this.#model.tokenizer.eosTokens.has(token)) {
      this.#ended = true
      return
    }
    const bytes = this.#model.vocabulary.bytesOf(token) ?? new Uint8Array()
    const state = this.#bounded(() => this.#read(this.#state, bytes))
    if (!state) throw new RangeError(`The token ${token} does not fit the grammar.`)
    this.#state = state
  }

  /**
   * Returns the tokens, at most `limit`, for which the model need not be asked, because only one text fits: as the tokenizer
   * divides it. The last token of the text is left to the model, since it may be the beginning of a longer one. After a
   * complete answer it is an end token.
   */
  forced(limit: number): readonly TokenId[] {
    if (this.#ended || limit < 1) return []
    if (this.isComplete) return [...this.#ends.subarray(0, 1)]
    const { bytes, state } = this.#bounded(() => this.#forcedText())
    const tokens = bytes.length < 2 ? [] : this.#tokensOf(bytes)
    const isWhole = state.accepts && state.ways.length === 0
    return tokens.slice(0, Math.min(limit, isWhole ? tokens.length : tokens.length - 1))
  }

  #forcedText(): { readonly bytes: Uint8Array; readonly state: State } {
    const bytes: number[] = []
    let state = this.#state
    while (bytes.length < MAX_FORCED_BYTES) {
      const byte = this.#automaton.forcedByte(state)
      if (byte === undefined) break
      bytes.push(byte)
      state = this.#automaton.step(state, byte)!
    }
    return { bytes: Uint8Array.from(bytes), state }
  }

  /** Some tokenizers put a space before a text. A line break before it is a token of its own there, and is cut off. */
  #tokensOf(bytes: Uint8Array): readonly TokenId[] {
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
    for (const before of ['', '\n']) {
      const tokens = this.#model.tokenizer.encode(before + text)
      const start = this.#startOf(tokens, bytes)
      if (start !== undefined) return tokens.slice(start)
    }
    return []
  }

  /** Returns from which token on the tokens are exactly these bytes. */
  #startOf(tokens: readonly TokenId[], bytes: Uint8Array): number | undefined {
    let end = bytes.length
    for (let index = tokens.length - 1; index >= 0; index--) {
      const piece = this.#model.vocabulary.bytesOf(tokens[index]!) ?? new Uint8Array()
      if (piece.length === 0 || piece.length > end) return undefined
      if (Buffer.compare(bytes.subarray(end - piece.length, end), piece) !== 0) return undefined
      end -= piece.length
      if (end === 0) return index
    }
    return undefined
  }

  #read(from: State, bytes: Uint8Array): State | null {
    let state: State | null = from
    for (const byte of bytes) state &&= this.#automaton.step(state, byte)
    return state
  }

  #bounded<Result>(run: () => Result): Result {
    const before = this.#automaton.work
    try {
      return this.#automaton.bounded(this.#workLeft, run)
    } finally {
      this.#workLeft -= this.#automaton.work - before
    }
  }

  #required(tokens: Int32Array): Int32Array {
    if (tokens.length > 0) return tokens
    throw new GenerationFailedError(
      this.isComplete
        ? 'The answer is complete, but the model has no token that ends it. Ask without a format.'
        : "No token of the model's vocabulary fits the format here. Ask without a format, or allow other characters.",
    )
  }
}
