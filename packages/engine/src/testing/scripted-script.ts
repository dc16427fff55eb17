import type { TokenId } from '../tokenizer.ts'
import { isSpecialToken, scriptedTokenizer, specialToken } from './scripted-tokenizer.ts'

/** Returns the next token of the script after `tokens`. */
export type Continuation = (tokens: readonly TokenId[]) => TokenId

/** The script of an answer, which begins after the last `opening`. */
export interface ReplyScript {
  readonly reply: (prompt: string) => string
  /** Tokens of the text that opens an assistant turn. */
  readonly opening: readonly TokenId[]
  /** Tokens that the model writes after its answer. */
  readonly closing: readonly TokenId[]
}

const FAVOURITE_LOGIT = 10
const SPECIAL_LOGIT = -20
const HASHED_TOKENS = 16
const letters = scriptedTokenizer.encode('aeiou bcdfghlmnprstvw ')

/** Follows `reply` in an open assistant turn, and `otherwise` elsewhere. The result is a pure function of the tokens. */
export function replyContinuation(
  { reply, opening, closing }: ReplyScript,
  otherwise: Continuation,
): Continuation {
  return (tokens) => {
    const start = lastIndexOfList(tokens, opening)
    if (start === -1) return otherwise(tokens)
    const answerStart = start + opening.length
    const prompt = scriptedTokenizer.decode(tokens.slice(0, start))
    const answer = [...scriptedTokenizer.encode(reply(prompt)), ...closing]
    return answer[tokens.length - answerStart] ?? specialToken('</s>')
  }
}

/** Endless letters and spaces that depend on the previous tokens. */
export const endlessLetters: Continuation = (tokens) => letters[hash(tokens, 0) % letters.length]!

/** Returns one logit for each token of the vocabulary: that of `favourite` stands out, the others are pseudo-random. */
export function scriptedLogits(tokens: readonly TokenId[], favourite: TokenId): Float64Array {
  return Float64Array.from({ length: scriptedTokenizer.vocabSize }, (_, token) => {
    if (token === favourite) return FAVOURITE_LOGIT
    return isSpecialToken(token) ? SPECIAL_LOGIT : (hash(tokens, token + 1) / 2 ** 32) * 8 - 4
  })
}

/** FNV-1a over the last tokens, with a final mix. */
function hash(tokens: readonly TokenId[], salt: number): number {
  let state = 0x811c9dc5 ^ salt
  for (const token of tokens.slice(-HASHED_TOKENS)) state = Math.imul(state ^ token, 0x01000193)
  state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d)
  return (state ^ (state >>> 13)) >>> 0
}

function lastIndexOfList(tokens: readonly TokenId[], wanted: readonly TokenId[]): number {
  for (let start = tokens.length - wanted.length; start >= 0; start--) {
    if (wanted.every((token, index) => tokens[start + index] === token)) return start
  }
  return -1
}
