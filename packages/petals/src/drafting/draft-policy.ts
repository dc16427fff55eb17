import { stepWidths, type RoundTimes } from './round-times.ts'

/** Drafts begin where they make decoding this many times as fast, and go on while they make it at least this. */
const startingGain = 1.1
const keepingGain = 1.03

/** A step is at most this many times as wide as the widest one whose time is known. */
const widening = 4

/** A step with drafts that was never measured may cost this much more than one without, at best. */
const leastCost = 1.05

/** The credit of drafts: what a round gained or lost counts this much less with each round after it. */
const creditMemory = 0.98

/** Drafts pause while their credit is below this, in plain rounds. So they never cost more than 2 % for long. */
const leastCredit = -1
/** What they have gained does not pay for more losses than this. */
const mostCredit = 2

/** What a round is chosen by. */
export interface RoundOutlook {
  /** Tokens that run in any case. */
  readonly known: number
  /** For each possible draft, the probability that it and those before it are right. */
  readonly survival: Float64Array
  readonly times: RoundTimes
}

/** What came of a round. */
export interface RoundResult {
  readonly known: number
  readonly drafted: number
  /** Tokens that were chosen. */
  readonly chosen: number
  readonly ms: number
}

/**
 * Chooses the number of drafts of each round so that most tokens are expected for each second, by the times that were
 * measured on this route. Widths that were never measured are tried where they could pay, on credit.
 */
export class DraftPolicy {
  #isDrafting = false
  /** In plain rounds. */
  #credit = 0

  /** Returns the number of drafts; 0 for a plain round. */
  choose(outlook: RoundOutlook): number {
    const { known, times } = outlook
    // Without a plain round, there is nothing to compare with.
    if (times.of(known) === undefined || this.#credit < leastCredit) return this.#plain()
    const options = optionsOf(outlook)
    const best = options.reduce((a, b) => (b.gain > a.gain ? b : a), { count: 0, gain: 0 })
    if (best.gain < (this.#isDrafting ? keepingGain : startingGain)) {
      this.#isDrafting = false
      return options.find((option) => this.#isWorthTrying(option))?.count ?? 0
    }
    this.#isDrafting = true
    return best.count
  }

  /** Learns from a round. */
  settle({ known, drafted, chosen, ms }: RoundResult, times: RoundTimes): void {
    times.record(known + drafted, ms)
    const plainMs = times.of(known)!
    const gained = drafted === 0 ? 0 : chosen - ms / plainMs
    this.#credit = Math.min(this.#credit * creditMemory + gained, mostCredit)
  }

  #plain(): number {
    this.#isDrafting = false
    return 0
  }

  #isWorthTrying({ isKnown, tokens, gain }: Option): boolean {
    const loss = gain > 0 ? tokens / gain - tokens : Infinity
    return !isKnown && tokens / leastCost >= startingGain && this.#credit - loss >= leastCredit
  }
}

interface Option {
  readonly count: number
  /** Expected tokens of the round. */
  readonly tokens: number
  /** Expected speed, relative to a plain round. */
  readonly gain: number
  readonly isKnown: boolean
}

function optionsOf({ known, survival, times }: RoundOutlook): Option[] {
  const plainMs = times.of(known)!
  const most = Math.min(known + survival.length, times.widest * widening)
  const options: Option[] = []
  let [tokens, count] = [1, 0]
  for (const width of stepWidths) {
    if (width <= known) continue
    if (width > most) break
    while (count < width - known) tokens += survival[count++]!
    const gain = (tokens * plainMs) / times.of(width)!
    options.push({ count, tokens, gain, isKnown: times.isKnown(width) })
  }
  return options
}
