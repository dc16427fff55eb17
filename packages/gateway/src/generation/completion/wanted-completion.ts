import type { CompletionRequest } from '@petals-chat/api'

/** The greatest length of a completion whose request gives none: the default of OpenAI and vLLM. */
export const defaultMaxTokens = 16

/** 0 and true ask for the log probability of the token itself; false asks for none. */
export function wantedLogprobs(logprobs: CompletionRequest['logprobs']): number | undefined {
  if (logprobs === true) return 0
  return logprobs === false ? undefined : (logprobs ?? undefined)
}
