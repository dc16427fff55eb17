import type { ScoredToken } from '@petals-chat/engine'

/** A piece of text and, if the request asked for log probabilities, the tokens that it came from. */
export interface ScoredText {
  readonly text: string
  readonly tokens: readonly ScoredToken[]
}
