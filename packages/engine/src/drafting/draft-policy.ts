import type { DraftSource } from './draft-source.ts'
import { stepWidths, type RoundTimes } from './round-times.ts'

/** Drafts begin where they make decoding this many times as fast, and go on while they make it at least this. */
const startingGain = 1.1
const keepingGain = 1.03

/** Another number of drafts, or another source, must be this many times as fast as the last choice to replace it. */
const changingGain = 1.02

/** A step is at most this many times as wide as the widest one whose time is known. */
const widening = 4

/** A step with drafts that was never measured may cost this much more than one without, at best. */
const leastCost = 1.05

/** The credit of drafts: what a round gained or lost counts this much less with each round after it. */
const creditMemory = 0.98

/** Drafts pause while their credit is below this, in plain rounds. So they never cost more than 2 % for long. */
const leastCredit = -1
/**
 * What they have gained does not pay for more losses than this. Where drafts pay by little, bad luck takes some rounds' worth
 * now and then, and should not make them pause.
 */
const mostCredit = 6

/** What a round took beyond so many times the usual time of its width was not the fault of its drafts. */
const hiccup = 1.5

type Source = Pick<DraftSource, 'survival' | 'hope' | 'cost'>

/** What a round is chosen by. */
export interface RoundOutlook<Each extends Source> {
  /** Tokens that run in any case. */
  readonly known: number
  /** The most drafts. */
  readonly most: number
  readonly times: RoundTimes
  readonly sources: readonly Each[]
}

export interface DraftChoice<Each extends Source> {
  readonly source: Each
  /** At least one. */
  readonly count: number
}

/** What came of a round. */
export interface RoundResult {
  readonly known: number
  readonly drafted: number
  /** Tokens that were chosen. */
  readonly chosen: number
  /** Without the time of drafting. */
  readonly ms: number
  readonly draftMs: number
}

/**
 * Chooses the source and the number of drafts of each round so that most tokens are expected for each second, by the times
 * that were measured on this route and of drafting. Widths that were never measured, and sources of which little is
 * known, are tried where they could pay, on credit.
 */
export class DraftPolicy<Each extends Source> {
  /** Undefined while no drafts would pay. */
  #last: DraftChoice<Each> | undefined
  /** In plain rounds. */
  #credit = 0

  /** Returns undefined for a plain round. */
  choose({ known, most, times, sources }: RoundOutlook<Each>): DraftChoice<Each> | undefined {
    // Without a plain round, there is nothing to compare with.
    if (times.of(known) === undefined || this.#credit < leastCredit) return this.#plain()
    const options = sources.flatMap((source) => optionsOf(source, { known, most, times }))
    const best = this.#best(options)
    if (!best || best.gain < (this.#last ? keepingGain : startingGain)) {
      this.#last = undefined
      return options.find((option) => this.#isWorthTrying(option))
    }
    this.#last = best
    return best
  }

  /** Learns from a round. */
  settle({ known, drafted, chosen, ms, draftMs }: RoundResult, times: RoundTimes): void {
    times.record(known + drafted, ms)
    const plainMs = times.of(known)!
    // Plain rounds hang now and then, too, and nothing is credited for those.
    const usualMs = Math.min(ms, times.of(known + drafted)! * hiccup)
    const gained = drafted === 0 ? -draftMs / plainMs : chosen - (usualMs + draftMs) / plainMs
    this.#credit = Math.min(this.#credit * creditMemory + gained, mostCredit)
  }

  #plain(): undefined {
    this.#last = undefined
    return undefined
  }

  #best(options: readonly Option<Each>[]): Option<Each> | undefined {
    const isLast = ({ source, count }: Option<Each>): boolean =>
      source === this.#last?.source && count === this.#last.count
    const worth = (option: Option<Each>): number => option.gain * (isLast(option) ? changingGain : 1)
    return options.reduce<Option<Each> | undefined>(
      (best, each) => (best && worth(best) >= worth(each) ? best : each),
      undefined,
    )
  }

  #isWorthTrying({ tokens, gain, bestGain }: Option<Each>): boolean {
    const loss = gain > 0 ? tokens / gain - tokens : Infinity
    return bestGain >= startingGain && this.#credit - loss >= leastCredit
  }
}

interface Option<Each extends Source> extends DraftChoice<Each> {
  /** Expected tokens of the round. */
  readonly tokens: number
  /** Expected speed, relative to a plain round. */
  readonly gain: number
  /** The same if what is not known is as good as can be. */
  readonly bestGain: number
}

function optionsOf<Each extends Source>(
  source: Each,
  { known, most, times }: Pick<RoundOutlook<Each>, 'known' | 'most' | 'times'>,
): Option<Each>[] {
  const plainMs = times.of(known)!
  const [survival, hope] = [source.survival(most), source.hope(most)]
  const widest = Math.min(known + most, times.widest * widening)
  const options: Option<Each>[] = []
  let [tokens, bestTokens, count] = [1, 1, 0]
  for (const width of stepWidths) {
    if (width <= known) continue
    if (width > widest) break
    for (; count < width - known; count++) {
      tokens += survival[count]!
      bestTokens += hope[count]!
    }
    const [stepMs, draftMs] = [times.of(width)!, source.cost(count)]
    const bestStepMs = times.isKnown(width) ? stepMs : plainMs * leastCost
    const gain = (tokens * plainMs) / (stepMs + draftMs)
    const bestGain = (bestTokens * plainMs) / (bestStepMs + draftMs)
    options.push({ source, count, tokens, gain, bestGain })
  }
  return options
}
