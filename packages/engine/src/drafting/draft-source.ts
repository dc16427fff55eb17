import type { TokenId } from '../tokenizer.ts'

export interface DraftOptions {
  /** Ends drafting early, without an error. */
  readonly signal?: AbortSignal | undefined
  /** After so many milliseconds, the drafts that are there must do. */
  readonly limitMs: number
}

/** One kind of guesses of the tokens of an answer, one answer at a time. */
export interface DraftSource {
  /** The text so far lets it guess. */
  readonly hasGuess: boolean
  /** It can guess at once. */
  readonly isReady: boolean
  /** Begins an answer to `prompt`, which may repeat `prediction`. */
  begin(prompt: readonly TokenId[], prediction: readonly TokenId[]): void
  /** Ends an answer: forgets its text. */
  end(): void
  /** Adds a token of the answer. `isForced`: its form left no choice, so that no guess was needed. */
  push(token: TokenId, isForced: boolean): void
  /** Returns, for each of `count` drafts, the probability that it and those before it are right. */
  survival(count: number): Float64Array
  /** Returns the same for the best that may be: where that would pay, it is tried. */
  hope(count: number): Float64Array
  /** Returns the milliseconds that `count` drafts are expected to take. */
  cost(count: number): number
  /** Begins in the background what lets it guess at once. */
  prepare(): void
  /** Returns at most `count` drafts. Only where it is ready. Never fails. */
  draft(count: number, options: DraftOptions): readonly TokenId[] | Promise<readonly TokenId[]>
  /** A round passed without its drafts. */
  rest(): void
}
