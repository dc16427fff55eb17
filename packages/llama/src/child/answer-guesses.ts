import type { TokenId } from '@petals-chat/engine'
import type { LookupSource } from '@petals-chat/engine/drafting'
import type { Guesses } from './draft-planner.ts'

/** Drafts of one answer in one step. Each takes time to compute, and room for the logits of a whole vocabulary. */
const mostDrafts = 15

/** Guesses the tokens of the answers of one sequence, and learns from them. */
export type TokenSource = Pick<LookupSource, 'hasGuess' | 'begin' | 'end' | 'push' | 'survival' | 'draft'>

export interface AnswerGuessesOptions {
  readonly source: TokenSource
  /** All tokens before the answer. */
  readonly prompt: readonly TokenId[]
  readonly prediction: readonly TokenId[]
  /** How many tokens may follow the next one. */
  readonly room: () => number
}

/** What one answer guesses of its next tokens, and what comes of it. */
export class AnswerGuesses implements Guesses {
  readonly #source: TokenSource
  readonly #room: () => number
  #drafted = 0

  constructor({ source, prompt, prediction, room }: AnswerGuessesOptions) {
    this.#source = source
    this.#room = room
    source.begin(prompt, prediction)
  }

  survival(): Float64Array {
    const count = this.#source.hasGuess ? Math.max(0, Math.min(this.#room(), mostDrafts)) : 0
    return this.#source.survival(count)
  }

  draft(count: number): readonly TokenId[] {
    const drafts = this.#source.draft(count)
    this.#drafted = drafts.length
    return drafts
  }

  /** Learns the tokens that a step chose, of which all but the last one were drafts. Returns how many drafts were wrong. */
  chosen(tokens: readonly TokenId[]): number {
    for (const token of tokens) this.#source.push(token, false)
    const rejected = this.#drafted - (tokens.length - 1)
    this.#drafted = 0
    return rejected
  }

  end(): void {
    this.#source.end()
  }
}
