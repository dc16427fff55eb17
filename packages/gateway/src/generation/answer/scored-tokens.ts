import type { GeneratedToken, ScoredToken, TextLogprob, TokenId, Tokenizer } from '@petals-chat/engine'

const utf8 = new TextEncoder()

/** Writes tokens as texts, which need no tokenizer any more. */
export const scoredTokens = (
  tokens: readonly Pick<GeneratedToken, 'token' | 'logprob' | 'topLogprobs'>[],
  tokenizer: Tokenizer,
): readonly ScoredToken[] =>
  tokens.map(({ token, logprob, topLogprobs = [] }) => ({
    ...textLogprob(token, logprob, tokenizer),
    top: topLogprobs.map((top) => textLogprob(top.token, top.logprob, tokenizer)),
  }))

function textLogprob(token: TokenId, logprob: number | undefined, tokenizer: Tokenizer): TextLogprob {
  const text = tokenizer.decode([token])
  return { text, bytes: text.includes('\uFFFD') ? null : [...utf8.encode(text)], logprob }
}
