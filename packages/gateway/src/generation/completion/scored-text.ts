import type { GeneratedToken } from '@petals-chat/engine'

/** A token whose log probability may be unknown: the first one of a prompt. */
export type ScoredToken = Pick<GeneratedToken, 'token' | 'logprob' | 'topLogprobs'>

/** A piece of text and the tokens that it came from. */
export interface ScoredText {
  readonly text: string
  readonly tokens: readonly ScoredToken[]
}
