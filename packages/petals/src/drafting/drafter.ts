import type { TokenId } from '@petals-chat/engine'
import { Acceptance } from './acceptance.ts'
import { DraftPolicy, type RoundResult } from './draft-policy.ts'
import { PromptLookup } from './prompt-lookup.ts'
import type { RoundTimes } from './round-times.ts'

/** What may be drafted now. */
export interface DraftRequest {
  /** Tokens that the next step runs in any case. */
  readonly known: number
  /** The most drafts. */
  readonly most: number
  readonly times: RoundTimes
}

/** Guesses the tokens of the answers of one session, one answer at a time. */
export interface Drafter {
  /** The text so far lets it guess. */
  readonly hasGuess: boolean
  /** Begins an answer to `prompt`, which may repeat `prediction`. */
  begin(prompt: readonly TokenId[], prediction: readonly TokenId[]): void
  /** Ends an answer: forgets its text. */
  end(): void
  /** Adds a token of the answer. `isForced`: its form left no choice, so that no guess was needed. */
  push(token: TokenId, isForced: boolean): void
  /** Returns guesses of the tokens that follow, at most as many as asked for; none where they would not pay. */
  draft(request: DraftRequest): readonly TokenId[]
  /** Learns from a round, also from one without drafts. */
  settle(result: RoundResult, times: RoundTimes): void
}

/** Guesses from the text itself. What it has learnt from an answer serves the later ones, too. */
export class LookupDrafter implements Drafter {
  readonly #acceptance = new Acceptance()
  readonly #policy = new DraftPolicy()
  #lookup: PromptLookup | undefined

  get hasGuess(): boolean {
    return (this.#lookup?.matched ?? 0) > 0
  }

  begin(prompt: readonly TokenId[], prediction: readonly TokenId[]): void {
    this.#lookup = new PromptLookup(textToSearch(prompt, prediction))
  }

  end(): void {
    this.#lookup = undefined
  }

  push(token: TokenId, isForced: boolean): void {
    const lookup = this.#lookup
    if (!lookup) return
    const { guess, matched } = lookup
    if (guess !== undefined && !isForced) this.#acceptance.note(matched, guess === token)
    lookup.push(token)
  }

  draft({ known, most, times }: DraftRequest): readonly TokenId[] {
    const lookup = this.#lookup
    if (!lookup || most < 1) return []
    const survival = this.#acceptance.survival(lookup.matched, most)
    return lookup.draft(this.#policy.choose({ known, survival, times }))
  }

  settle(result: RoundResult, times: RoundTimes): void {
    this.#policy.settle(result, times)
  }
}

/** Tokens of the prompt that stand before its prediction: as many as a match needs to be trusted. */
const lead = 8

/** A prediction stands where an answer to the prompt would stand, so that it is what followed its last tokens before. */
const textToSearch = (prompt: readonly TokenId[], prediction: readonly TokenId[]): readonly TokenId[] =>
  prediction.length === 0 ? prompt : [...prompt.slice(-lead), ...prediction, ...prompt]
