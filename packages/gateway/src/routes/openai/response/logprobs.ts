import type { ChatTokenLogprob, CompletionLogprobs } from '@petals-chat/api'
import type { ScoredToken, TextLogprob } from '@petals-chat/engine'
import type { ScoredText } from '../../../generation/completion/scored-text.ts'

/** OpenAI's value for an impossible token; JSON has no infinity. */
const impossible = -9999

/** Converts tokens to the shape of chat completions. */
export const chatLogprobs = (tokens: readonly ScoredToken[]): ChatTokenLogprob[] =>
  tokens.map(({ top, ...token }) => ({ ...chatToken(token), top_logprobs: top.map(chatToken) }))

const chatToken = ({ text, bytes, logprob }: TextLogprob) => ({
  token: text,
  logprob: finite(logprob),
  bytes: bytes === null ? null : [...bytes],
})

/** Converts tokens to the shape of completions. `offset`: characters of the choice's text before this piece. */
export function completionLogprobs({ text, tokens }: ScoredText, offset: number): CompletionLogprobs {
  const texts = tokens.map((token) => token.text)
  return {
    tokens: texts,
    token_logprobs: tokens.map(({ logprob }) => (logprob === undefined ? null : finite(logprob))),
    top_logprobs: tokens.map(topLogprobs),
    text_offset: textOffsets(texts, offset, characterCount(text)),
  }
}

/** Of tokens with the same text, the more probable one stays. The token itself is always included. */
function topLogprobs({ text, logprob, top }: ScoredToken): Record<string, number> | null {
  if (logprob === undefined) return null
  const found = new Map<string, number>()
  for (const other of top) if (!found.has(other.text)) found.set(other.text, finite(other.logprob))
  return Object.fromEntries(found.has(text) ? found : found.set(text, finite(logprob)))
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
