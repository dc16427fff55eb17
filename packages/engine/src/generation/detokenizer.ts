import type { GeneratedToken } from '../engine.ts'
import type { Tokenizer } from '../tokenizer.ts'

/** Text that is certain, and the tokens that it came from. */
export interface DecodedText {
  readonly text: string
  readonly tokens: readonly GeneratedToken[]
}

const REPLACEMENT = '\uFFFD'
/** A UTF-8 character has at most 4 bytes, a token at least 1: what is still incomplete lies within the last 3 tokens. */
const INCOMPLETE_TOKENS = 3
/** From here on a text that still ends in U+FFFD is no character in the making but broken UTF-8. */
const MAX_PENDING = 8

/**
 * Turns tokens to text as they come. All texts together equal `tokenizer.decode` of all tokens, because of what
 * `Tokenizer.decode` promises: it decodes the tokens' bytes one after another. Only tokens whose character is incomplete
 * are kept and decoded again.
 */
export class Detokenizer {
  readonly #tokenizer: Tokenizer
  readonly #skipSpecialTokens: boolean
  #pending: GeneratedToken[] = []

  constructor(tokenizer: Tokenizer, options?: { readonly skipSpecialTokens?: boolean | undefined }) {
    this.#tokenizer = tokenizer
    this.#skipSpecialTokens = options?.skipSpecialTokens ?? false
  }

  /** The text that this token completes, or undefined while its last character is incomplete. */
  push(token: GeneratedToken): DecodedText | undefined {
    this.#pending.push(token)
    const text = this.#decode(this.#pending)
    if (!text.endsWith(REPLACEMENT)) return this.#release(this.#pending.length, text)
    return this.#pending.length < MAX_PENDING ? undefined : this.#releaseBroken(text)
  }

  /** What is left at the end of the answer: an incomplete character becomes U+FFFD. */
  flush(): DecodedText | undefined {
    if (this.#pending.length === 0) return undefined
    return this.#release(this.#pending.length, this.#decode(this.#pending))
  }

  /** Gives away the longest head of broken UTF-8 that later bytes can't change, so that `pending` stays short. */
  #releaseBroken(text: string): DecodedText | undefined {
    for (let split = this.#pending.length - INCOMPLETE_TOKENS; split > 0; split--) {
      const head = this.#decode(this.#pending.slice(0, split))
      const isBorder = head + this.#decode(this.#pending.slice(split)) === text
      if (isBorder) return this.#release(split, head)
    }
    return undefined
  }

  #release(count: number, text: string): DecodedText {
    return { text, tokens: this.#pending.splice(0, count) }
  }

  #decode(tokens: readonly GeneratedToken[]): string {
    const ids = tokens.map(({ token }) => token)
    return this.#tokenizer.decode(ids, { skipSpecialTokens: this.#skipSpecialTokens })
  }
}
