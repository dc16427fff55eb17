import { isControlText, LITERAL_MARK, type TokenId } from '@petals-chat/engine'
import { TokenType, type Vocabulary } from './vocabulary.ts'

/** A piece of a text: a special token, or text in between. */
export type Fragment = TokenId | string

interface SpecialToken {
  readonly id: TokenId
  readonly text: string
}

/** Finds the tokens that are written out in a text, as llama.cpp does: the longest one everywhere, then the next. */
export class SpecialTokens {
  /** Longest first. */
  readonly #tokens: readonly SpecialToken[]
  readonly #ids: ReadonlyMap<string, TokenId>
  readonly #firstCharacters: ReadonlySet<string>
  readonly #lengths: readonly number[]
  readonly #stripAfter: (id: TokenId) => boolean
  /** Texts that a client can only spell out, never be. */
  readonly controlTexts: readonly string[]

  /** `stripAfter` tells which tokens swallow the white space behind them. */
  constructor(vocabulary: Vocabulary, stripAfter: (text: string) => boolean = () => false) {
    const { texts, types } = vocabulary
    const tokens = Array.from(types.entries(), ([id, type]) =>
      isSpecial(type) ? [{ id, text: texts[id]! }] : [],
    ).flat()
    const utf8Length = ({ text }: SpecialToken) => Buffer.byteLength(text)
    this.#tokens = tokens.sort((a, b) => utf8Length(b) - utf8Length(a))
    this.#ids = new Map(tokens.map(({ id, text }) => [text, id]))
    this.#firstCharacters = new Set(tokens.map(({ text }) => text.charAt(0)))
    this.#lengths = [...new Set(tokens.map(({ text }) => text.length))]
    this.#stripAfter = (id) => stripAfter(texts[id]!)
    this.controlTexts = tokens.flatMap(({ id, text }) =>
      isControlText(text, types[id] !== TokenType.userDefined) ? [text] : [],
    )
  }

  /** Text in between is without marks: what they kept apart is one text. */
  split(text: string): Fragment[] {
    return this.#split(text)
      .map((each) => (typeof each === 'string' ? each.replaceAll(LITERAL_MARK, '') : each))
      .filter((each) => each !== '')
  }

  #split(text: string): Fragment[] {
    let fragments: Fragment[] = text === '' ? [] : [text]
    const present = this.#presentIn(text)
    if (present.size === 0) return fragments
    for (const token of this.#tokens) {
      if (present.has(token.id)) fragments = fragments.flatMap((fragment) => this.#splitBy(token, fragment))
    }
    return fragments
  }

  /** Which tokens the text contains at all: of thousands, most texts have none or three. */
  #presentIn(text: string): Set<TokenId> {
    const present = new Set<TokenId>()
    for (let index = 0; index < text.length; index++) {
      if (!this.#firstCharacters.has(text.charAt(index))) continue
      for (const length of this.#lengths) {
        const id = this.#ids.get(text.slice(index, index + length))
        if (id !== undefined) present.add(id)
      }
    }
    return present
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
