import type { GeneratedToken } from '../engine.ts'
import type { TokenId, Tokenizer } from '../tokenizer.ts'

/** Text that later tokens can't change, and the tokens that it came from. */
export interface DecodedText {
  readonly text: string
  readonly tokens: readonly GeneratedToken[]
}

const REPLACEMENT = '\uFFFD'
/** A UTF-8 character has at most 4 bytes and a token at least 1, so a character that is incomplete for longer is invalid. */
const MAX_INCOMPLETE = 4

/**
 * Turns a stream of tokens into text. All texts together equal `tokenizer.decode` of all tokens, because
 * `Tokenizer.decode` promises to decode the tokens' bytes one after another. Only tokens whose character is incomplete
 * are kept and decoded again.
 */
export class Detokenizer {
  readonly #tokenizer: Tokenizer
  readonly #options: { readonly skipSpecialTokens: boolean }
  /** Each entry is a token with bytes, and the tokens without bytes that followed it. */
  #pending: [GeneratedToken, ...GeneratedToken[]][] = []

  constructor(tokenizer: Tokenizer, options?: { readonly skipSpecialTokens?: boolean | undefined }) {
    this.#tokenizer = tokenizer
    this.#options = { skipSpecialTokens: options?.skipSpecialTokens ?? false }
  }

  /** Returns the text that this token completes, or undefined while its last character is incomplete. */
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

  /** Returns the rest at the end of the answer: an incomplete character becomes U+FFFD. */
  flush(): DecodedText | undefined {
    return this.#pending.length === 0 ? undefined : this.#release(this.#pending.length, this.#decodeFrom(0))
  }

  /** Releases the invalid UTF-8 that later bytes can't change. Two parts of one character do not decode to `text`. */
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
