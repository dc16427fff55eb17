import type { TokenId } from '@petals-chat/engine'

/** Texts repeat their words: most are met again within the same page. Some 2 MB when full. */
const MAX_WORDS = 20_000
/** Longer ones hardly come twice. */
const MAX_WORD_LENGTH = 64

/** Remembers how words were tokenized. */
export class WordCache {
  readonly #words = new Map<string, readonly TokenId[]>()

  get(word: string, tokenize: () => readonly TokenId[]): readonly TokenId[] {
    if (word.length > MAX_WORD_LENGTH) return tokenize()
    const known = this.#words.get(word)
    if (known !== undefined) return known
    const tokens = tokenize()
    if (this.#words.size >= MAX_WORDS) this.#words.clear()
    this.#words.set(word, tokens)
    return tokens
  }
}
