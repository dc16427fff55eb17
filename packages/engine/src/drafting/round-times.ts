/** Tokens of a step, as its time is kept: a step of any other width counts for the next one below. */
export const stepWidths: readonly number[] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64]

/** Rounds of one width that are remembered. */
const windowLength = 5

/** After this many rounds of other widths, a time may be out of date. */
const staleAfter = 256

interface Window {
  readonly times: number[]
  median: number
  lastRound: number
}

/**
 * How long a round takes on one route, or on this machine, by the number of its tokens, in milliseconds: the step, the LM head
 * and the choice. Steps of several tokens cost no less than those of one, which bounds what was not measured yet.
 */
export class RoundTimes {
  /** By place in `stepWidths`. */
  readonly #windows: (Window | undefined)[] = stepWidths.map(() => undefined)
  /** By place in `stepWidths`; Infinity before the first round. */
  readonly #expected = new Float64Array(stepWidths.length).fill(Infinity)
  #rounds = 0
  #widest = 0

  record(width: number, ms: number): void {
    const place = placeOf(width)
    const window = (this.#windows[place] ??= { times: [], median: ms, lastRound: 0 })
    window.times.push(ms)
    if (window.times.length > windowLength) window.times.shift()
    window.median = medianOf(window.times)
    window.lastRound = ++this.#rounds
    this.#widest = Math.max(this.#widest, stepWidths[place]!)
    this.#expect()
  }

  /** The widest round that was measured; 0 if none was. */
  get widest(): number {
    return this.#widest
  }

  /** Reports whether rounds of this width have been measured lately. */
  isKnown(width: number): boolean {
    const window = this.#windows[placeOf(width)]
    return window !== undefined && this.#rounds - window.lastRound < staleAfter
  }

  /** Returns the expected time; undefined before the first round of any. */
  of(width: number): number | undefined {
    const ms = this.#expected[placeOf(width)]!
    return ms === Infinity ? undefined : ms
  }

  /** Each width takes as long as it was measured, or as usual from the next narrower one, and no longer than any wider one. */
  #expect(): void {
    let scale = Infinity
    for (const [place, width] of stepWidths.entries()) {
      const median = this.#medianOf(place)
      if (median !== undefined) scale = median / usualCost(width)
      this.#expected[place] = median ?? scale * usualCost(width)
    }
    let least = Infinity
    for (let place = stepWidths.length - 1; place >= 0; place--) {
      this.#expected[place] = Math.min(this.#expected[place]!, least)
      least = Math.min(least, this.#medianOf(place) ?? Infinity)
    }
  }

  /** Undefined if it was never measured, or long ago: the servers may be busier now. Plain rounds are the measure of all. */
  #medianOf(place: number): number | undefined {
    const window = this.#windows[place]
    return window && (place === 0 || this.#rounds - window.lastRound < staleAfter) ? window.median : undefined
  }
}

/** By width: its place in `stepWidths`. */
const places = Uint8Array.from({ length: stepWidths.at(-1)! + 1 }, (_, width) =>
  Math.max(
    0,
    stepWidths.findLastIndex((each) => each <= width),
  ),
)

const placeOf = (width: number): number => places[width] ?? stepWidths.length - 1

/** The cost of a step relative to one token on servers that compute on CPUs, where it grows most (measured: 1.25–1.6 for 2, 2.1 for 16). */
const usualCost = (width: number): number => (width === 1 ? 1 : 1.45 + 0.045 * width)

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[sorted.length >> 1]!
}
