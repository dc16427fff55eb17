import type { ChatTokenLogprob, CompletionLogprobs } from '@petals-chat/api'
import type { TokenId, Tokenizer } from '@petals-chat/engine'
import type { ScoredText, ScoredToken } from '../../../generation/completion/scored-text.ts'

/** OpenAI's value for an impossible token; JSON has no infinity. */
const impossible = -9999

const utf8 = new TextEncoder()

/** Converts tokens to the shape of chat completions. */
export function chatLogprobs(tokens: readonly ScoredToken[], tokenizer: Tokenizer): ChatTokenLogprob[] {
  return tokens.map(({ token, logprob, topLogprobs = [] }) => ({
    ...chatToken(token, logprob, tokenizer),
    top_logprobs: topLogprobs.map((top) => chatToken(top.token, top.logprob, tokenizer)),
  }))
}

function chatToken(id: TokenId, logprob: number | undefined, tokenizer: Tokenizer) {
  const token = tokenizer.decode([id])
  return { token, logprob: finite(logprob), bytes: token.includes('\uFFFD') ? null : [...utf8.encode(token)] }
}

/** Converts tokens to the shape of completions. `offset`: characters of the choice's text before this piece. */
export function completionLogprobs(
  { text, tokens }: ScoredText,
  offset: number,
  tokenizer: Tokenizer,
): CompletionLogprobs {
  const texts = tokens.map(({ token }) => tokenizer.decode([token]))
  return {
    tokens: texts,
    token_logprobs: tokens.map(({ logprob }) => (logprob === undefined ? null : finite(logprob))),
    top_logprobs: tokens.map((token, index) => topLogprobs(token, texts[index]!, tokenizer)),
    text_offset: textOffsets(texts, offset, characterCount(text)),
  }
}

/** Of tokens with the same text, the more probable one stays. The token itself is always included. */
function topLogprobs(token: ScoredToken, text: string, tokenizer: Tokenizer): Record<string, number> | null {
  if (token.logprob === undefined) return null
  const found = new Map<string, number>()
  for (const top of token.topLogprobs ?? []) {
    const topText = tokenizer.decode([top.token])
    if (!found.has(topText)) found.set(topText, finite(top.logprob))
  }
  return Object.fromEntries(found.has(text) ? found : found.set(text, finite(token.logprob)))
}

/** Tokens that share a character all start where that character starts. */
function textOffsets(texts: readonly string[], offset: number, length: number): number[] {
  let start = 0
  return texts.map((text) => {
    const place = offset + Math.min(start, length)
    if (!text.includes('\uFFFD')) start += characterCount(text)
    return place
  })
}

/** The number of characters as Python and OpenAI count them: code points. */
export function characterCount(text: string): number {
  let count = 0
  for (let index = 0; index < text.length; index += text.codePointAt(index)! > 0xffff ? 2 : 1) count++
  return count
}

const finite = (logprob: number | undefined): number => Math.max(logprob ?? impossible, impossible)
