import { isControlText, LITERAL_MARK, type TokenId } from '@petals-chat/engine'
import { TokenType, type Vocabulary } from './vocabulary.ts'

/** A piece of a text: a special token, or the text between two of them. */
export type Fragment = TokenId | string

interface SpecialToken {
  readonly id: TokenId
  readonly text: string
}

/** Finds special tokens that are spelled out in a text, in llama.cpp's order: all occurrences of the longest token first. */
export class SpecialTokens {
  /** Longest first. */
  readonly #tokens: readonly SpecialToken[]
  /** Indexes of `#tokens` by their text. */
  readonly #ranks: ReadonlyMap<string, number>
  readonly #firstCharacters: ReadonlySet<string>
  readonly #lengths: readonly number[]
  readonly #stripAfter: (id: TokenId) => boolean
  /** Texts of control tokens. A client that writes one must get ordinary tokens. */
  readonly controlTexts: readonly string[]

  /** `stripAfter` tells which tokens remove the white space after them. */
  constructor(vocabulary: Vocabulary, stripAfter: (text: string) => boolean = () => false) {
    const { texts, types } = vocabulary
    const tokens = Array.from(types.entries(), ([id, type]) =>
      isSpecial(type) ? [{ id, text: texts[id]! }] : [],
    ).flat()
    const utf8Length = ({ text }: SpecialToken) => Buffer.byteLength(text)
    this.#tokens = tokens.sort((a, b) => utf8Length(b) - utf8Length(a))
    this.#ranks = new Map(tokens.map(({ text }, rank) => [text, rank]))
    this.#firstCharacters = new Set(tokens.map(({ text }) => text.charAt(0)))
    this.#lengths = [...new Set(tokens.map(({ text }) => text.length))]
    this.#stripAfter = (id) => stripAfter(texts[id]!)
    this.controlTexts = tokens.flatMap(({ id, text }) =>
      isControlText(text, types[id] !== TokenType.userDefined) ? [text] : [],
    )
  }

  /** Splits a text at its special tokens. Marks are removed from the text between them, which becomes one piece. */
  split(text: string): Fragment[] {
    return this.#split(text)
      .map((each) => (typeof each === 'string' ? each.replaceAll(LITERAL_MARK, '') : each))
      .filter((each) => each !== '')
  }

  #split(text: string): Fragment[] {
    let fragments: Fragment[] = text === '' ? [] : [text]
    for (const rank of this.#presentIn(text)) {
      fragments = fragments.flatMap((fragment) => this.#splitBy(this.#tokens[rank]!, fragment))
    }
    return fragments
  }

  /** Returns the ranks of the tokens that the text contains, in order: of thousands of tokens, most texts contain none or three. */
  #presentIn(text: string): number[] {
    const present = new Set<number>()
    for (let index = 0; index < text.length; index++) {
      if (!this.#firstCharacters.has(text.charAt(index))) continue
      for (const length of this.#lengths) {
        const rank = this.#ranks.get(text.slice(index, index + length))
        if (rank !== undefined) present.add(rank)
      }
    }
    return [...present].sort((left, right) => left - right)
  }

  #splitBy({ id, text }: SpecialToken, fragment: Fragment): Fragment[] {
    if (typeof fragment === 'number' || !fragment.includes(text)) return [fragment]
    return fragment.split(text).flatMap((piece, index) => {
      const rest = index > 0 && this.#stripAfter(id) ? piece.replace(/^[\t-\r ]+/, '') : piece
      return [...(index > 0 ? [id] : []), ...(rest === '' ? [] : [rest])]
    })
  }
}

const isSpecial = (type: number): boolean =>
  type === TokenType.control || type === TokenType.userDefined || type === TokenType.unknown
