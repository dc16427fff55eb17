import { LITERAL_MARK } from '../chat/literal-text.ts'
import type { TokenId, Tokenizer } from '../tokenizer.ts'

/** Tokens 0 … 255 are bytes; then these. */
const specialTexts = [
  '<s>',
  '</s>',
  '<|end|>',
  '<|system|>',
  '<|user|>',
  '<|assistant|>',
  '<|tool|>',
] as const
type SpecialText = (typeof specialTexts)[number]

const FIRST_SPECIAL = 256
const specialPattern = new RegExp(`(${specialTexts.map((text) => text.replace(/[|]/g, '\\|')).join('|')})`)
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** The token of a special text. */
export function specialToken(text: SpecialText): TokenId {
  return FIRST_SPECIAL + specialTexts.indexOf(text)
}

export function isSpecialToken(token: TokenId): boolean {
  return token >= FIRST_SPECIAL
}

/** One token for each byte, and a few special ones, so that tokens end at every possible place in a character. */
export const scriptedTokenizer: Tokenizer = {
  vocabSize: FIRST_SPECIAL + specialTexts.length,
  bosToken: specialToken('<s>'),
  eosTokens: new Set([specialToken('</s>'), specialToken('<|end|>')]),
  controlTexts: specialTexts,

  encode(text, { addSpecialTokens = false } = {}) {
    const tokens: TokenId[] = addSpecialTokens ? [specialToken('<s>')] : []
    for (const part of text.split(specialPattern)) {
      const special = specialTexts.indexOf(part as SpecialText)
      if (special !== -1) tokens.push(FIRST_SPECIAL + special)
      else tokens.push(...encoder.encode(part.replaceAll(LITERAL_MARK, '')))
    }
    return tokens
  },

  decode(tokens, { skipSpecialTokens = false } = {}) {
    const bytes = tokens.flatMap((token) => {
      if (!isSpecialToken(token)) return [token]
      return skipSpecialTokens ? [] : [...encoder.encode(specialTexts[token - FIRST_SPECIAL])]
    })
    return decoder.decode(Uint8Array.from(bytes))
  },
}
