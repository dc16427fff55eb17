import type { ScoredToken } from '@petals-chat/engine'
import type { CompletionLogprobs, Logprobs } from './chunks.ts'

/** The tokens of an event, whichever of the two forms its log probabilities have. */
export function scoredTokens(logprobs: Logprobs | null | undefined): readonly ScoredToken[] {
  if (logprobs == null) return []
  if ('tokens' in logprobs) return ofCompletion(logprobs)
  return (logprobs.content ?? []).map(({ token: text, bytes, logprob, top_logprobs: top }) => ({
    text,
    bytes,
    logprob,
    top: top.map(({ token, bytes, logprob }) => ({ text: token, bytes, logprob })),
  }))
}

function ofCompletion({
  tokens,
  token_logprobs: logprobs,
  top_logprobs: top,
}: CompletionLogprobs): readonly ScoredToken[] {
  return tokens.map((text, place) => ({
    text,
    bytes: null,
    logprob: logprobs[place] ?? undefined,
    top: Object.entries(top?.[place] ?? {}).map(([text, logprob]) => ({ text, bytes: null, logprob })),
  }))
}
