import type { TokenId } from '@petals-chat/engine'
import {
  DraftPolicy,
  RoundTimes,
  stepWidths,
  type DraftSource,
  type RoundResult,
} from '@petals-chat/engine/drafting'

/** What one answer guesses of its next tokens. */
export interface Guesses {
  /** For each draft that there is room for, the probability that it and those before it are right. None without a guess. */
  survival(): Float64Array
  draft(count: number): readonly TokenId[]
}

/** Answers that guess nothing share their steps: drafts of others may make these take so many times as long, at most. */
const mostDelay = 1.25

/** The likeliest guesses of all answers, as the policy sees them. */
class RankedGuesses implements Pick<DraftSource, 'survival' | 'hope' | 'cost'> {
  /** For each guess, how many tokens of an answer it is expected to bring. */
  expected = new Float64Array()

  survival(): Float64Array {
    return this.expected
  }
  hope(): Float64Array {
    return this.expected
  }
  cost(): number {
    return 0
  }
}

/**
 * Chooses the drafts of the steps of a model, for all its answers together: those that are most likely right, and as many as
 * make most tokens for each second, by the measured times of steps. Where many answers keep the cores busy, that is none.
 */
export class DraftPlanner {
  readonly #policy = new DraftPolicy<RankedGuesses>()
  readonly #times = new RoundTimes()
  readonly #guesses = new RankedGuesses()

  /** Returns the drafts of each answer in a step that computes one token of each in any case. */
  plan(answers: readonly Guesses[]): readonly (readonly TokenId[])[] {
    const known = answers.length
    const guesses = answers.map((answer) => answer.survival())
    const ranked = guesses.flatMap((each, answer) =>
      Array.from(each, (probability) => ({ answer, probability })),
    )
    // The sort is stable, and no draft is more likely than the one before it: those of an answer stay in their order.
    ranked.sort((a, b) => b.probability - a.probability)
    const most = this.#most(known, { isShared: guesses.some(({ length }) => length === 0) })
    this.#guesses.expected = Float64Array.from(ranked, ({ probability }) => probability / known)
    const sources = [this.#guesses]
    const choice = this.#policy.choose({
      known,
      most: Math.min(most, ranked.length),
      times: this.#times,
      sources,
    })
    const chosen = ranked.slice(0, choice?.count ?? 0)
    return answers.map((answer, index) => {
      const count = chosen.filter((draft) => draft.answer === index).length
      return count === 0 ? [] : answer.draft(count)
    })
  }

  /** Learns from a step, also from one without drafts. `known`: its answers. */
  settle({ known, drafted, chosen, ms }: Omit<RoundResult, 'draftMs'>): void {
    // The policy counts the tokens of one answer. Guesses take microseconds.
    this.#policy.settle({ known, drafted, chosen: chosen / known, ms, draftMs: 0 }, this.#times)
  }

  #most(known: number, { isShared }: { readonly isShared: boolean }): number {
    const plainMs = this.#times.of(known)
    let most = Math.max(0, stepWidths.at(-1)! - known)
    if (plainMs === undefined || !isShared) return most
    while (most > 0 && this.#times.of(known + most)! > plainMs * mostDelay) most--
    return most
  }
}
