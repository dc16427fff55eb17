import type { GeneratedToken } from '../engine.ts'
import type { TokenId, Tokenizer } from '../tokenizer.ts'

/** Text that is certain, and the tokens that it came from. */
export interface DecodedText {
  readonly text: string
  readonly tokens: readonly GeneratedToken[]
}

const REPLACEMENT = '\uFFFD'
/** A UTF-8 character has at most 4 bytes, a token at least 1: what is incomplete for longer is broken. */
const MAX_INCOMPLETE = 4

/**
 * Turns tokens to text as they come. All texts together equal `tokenizer.decode` of all tokens, because of what
 * `Tokenizer.decode` promises: it decodes the tokens' bytes one after another. Only tokens whose character is incomplete
 * are kept and decoded again.
 */
export class Detokenizer {
  readonly #tokenizer: Tokenizer
  readonly #options: { readonly skipSpecialTokens: boolean }
  /** Each a token with bytes, and the tokens without any that came after it. */
  #pending: [GeneratedToken, ...GeneratedToken[]][] = []

  constructor(tokenizer: Tokenizer, options?: { readonly skipSpecialTokens?: boolean | undefined }) {
    this.#tokenizer = tokenizer
    this.#options = { skipSpecialTokens: options?.skipSpecialTokens ?? false }
  }

  /** The text that this token completes, or undefined while its last character is incomplete. */
  push(token: GeneratedToken): DecodedText | undefined {
    const last = this.#pending.at(-1)
    if (last && this.#decode([token.token]) === '') {
      last.push(token)
      return undefined
    }
    this.#pending.push([token])
    const text = this.#decodeFrom(0)
    if (!text.endsWith(REPLACEMENT)) return this.#release(this.#pending.length, text)
    return this.#pending.length > MAX_INCOMPLETE ? this.#releaseBroken(text) : undefined
  }

  /** What is left at the end of the answer: an incomplete character becomes U+FFFD. */
  flush(): DecodedText | undefined {
    return this.#pending.length === 0 ? undefined : this.#release(this.#pending.length, this.#decodeFrom(0))
  }

  /** Gives away as much broken UTF-8 as later bytes can't change. Within a character, `text` is not the sum of two halves. */
  #releaseBroken(text: string): DecodedText | undefined {
    for (let split = this.#pending.length - 1; split > 0; split--) {
      const head = this.#decodeFrom(0, split)
      if (head + this.#decodeFrom(split) === text) return this.#release(split, head)
    }
    return undefined
  }

  #release(count: number, text: string): DecodedText {
    return { text, tokens: this.#pending.splice(0, count).flat() }
  }

  #decodeFrom(start: number, end?: number): string {
    return this.#decode(this.#pending.slice(start, end).map(([{ token }]) => token))
  }

  #decode(tokens: readonly TokenId[]): string {
    return this.#tokenizer.decode(tokens, this.#options)
  }
}
