import type { TokenId } from '../tokenizer.ts'
import { NgramChains } from './ngram-chains.ts'

/** A longer match says nothing more, and is not compared further. */
export const longestMatch = 64

/** Earlier places that are compared with the end of the text, the newest first: those that share four tokens, and two. */
const quadsCompared = 8
const pairsCompared = 16

/** An earlier place of the text that ends like the text itself. */
interface Match {
  /** The place of the token that followed there. */
  readonly next: number
  /** Tokens that are the same, at most `longestMatch`. */
  readonly length: number
}

/**
 * Guesses the next tokens of a text from the text itself (prompt lookup, Saxena 2023; `prompt_lookup_num_tokens` of
 * transformers): what followed where the longest run of its last tokens occurred before. A text that quotes its prompt goes
 * on as the prompt does. Adding a token takes a few microseconds: earlier places are found by hash chains, as in LZ77.
 */
export class PromptLookup {
  #tokens: Int32Array
  #length = 0
  #match: Match | undefined
  readonly #pairs: NgramChains
  readonly #quads: NgramChains

  constructor(tokens: readonly TokenId[]) {
    this.#tokens = new Int32Array(Math.max(1024, tokens.length * 2))
    this.#pairs = new NgramChains(2, tokens.length)
    this.#quads = new NgramChains(4, tokens.length)
    for (const token of tokens) this.#append(token)
    this.#match = this.#longest()
  }

  /** Length of the match behind the present guess; 0 if there is none. */
  get matched(): number {
    return this.#match?.length ?? 0
  }

  /** The token that is guessed to come next. */
  get guess(): TokenId | undefined {
    return this.#match && this.#tokens[this.#match.next]
  }

  push(token: TokenId): void {
    const match = this.#match
    const isRight = token === this.guess
    this.#append(token)
    this.#match =
      match && isRight
        ? { next: match.next + 1, length: Math.min(match.length + 1, longestMatch) }
        : this.#longest()
  }

  /** Returns the next `count` guesses; none without a match. What follows up to the end of the text is taken to repeat. */
  draft(count: number): TokenId[] {
    const { next } = this.#match ?? { next: this.#length }
    const period = this.#length - next
    return period === 0 ? [] : Array.from({ length: count }, (_, i) => this.#tokens[next + (i % period)]!)
  }

  #append(token: TokenId): void {
    if (this.#length === this.#tokens.length) {
      const grown = new Int32Array(this.#length * 2)
      grown.set(this.#tokens)
      this.#tokens = grown
    }
    this.#tokens[this.#length++] = token
    this.#pairs.add(this.#tokens, this.#length - 1)
    this.#quads.add(this.#tokens, this.#length - 1)
  }

  /** Finds the longest match; of equally long ones, the newest. */
  #longest(): Match | undefined {
    const quads = this.#longestOf(this.#quads, quadsCompared)
    const pairs = this.#longestOf(this.#pairs, pairsCompared)
    return pairs && (!quads || pairs.length > quads.length) ? pairs : quads
  }

  #longestOf(chains: NgramChains, count: number): Match | undefined {
    const last = this.#length - 1
    let best: Match | undefined
    let place = chains.before(last)
    for (let compared = 0; place !== undefined && compared < count; compared++) {
      const length = this.#sameBefore(place, last)
      if (length >= chains.order && length > (best?.length ?? 0)) best = { next: place + 1, length }
      place = chains.before(place)
    }
    return best
  }

  /** Returns how many tokens up to `place` are the same as those up to `last`. */
  #sameBefore(place: number, last: number): number {
    const most = Math.min(longestMatch, place + 1)
    let length = 0
    while (length < most && this.#tokens[place - length] === this.#tokens[last - length]) length++
    return length
  }
}
