/** Tokens of a step, as its time is kept: a step of any other width counts for the next one below. */
export const stepWidths: readonly number[] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64]

/** Rounds of one width that are remembered. */
const windowLength = 9

/** After this many rounds of other widths, a time may be out of date. */
const staleAfter = 256

/** Routes whose times are kept. */
const maxRoutes = 64

interface Window {
  readonly times: number[]
  median: number
  lastRound: number
}

/**
 * How long a round takes on one route by the number of its tokens, in milliseconds: the step of the servers, the LM head and
 * the choice. Steps of several tokens cost no less than those of one, which bounds what was not measured yet.
 */
export class RoundTimes {
  readonly #windows = new Map<number, Window>()
  #rounds = 0

  record(width: number, ms: number): void {
    const kept = widthOf(width)
    const window = this.#windows.get(kept) ?? { times: [], median: ms, lastRound: 0 }
    window.times.push(ms)
    if (window.times.length > windowLength) window.times.shift()
    window.median = medianOf(window.times)
    window.lastRound = ++this.#rounds
    this.#windows.set(kept, window)
  }

  /** The widest round that was measured; 0 if none was. */
  get widest(): number {
    return Math.max(0, ...this.#windows.keys())
  }

  /** Reports whether rounds of this width have been measured lately. */
  isKnown(width: number): boolean {
    const window = this.#windows.get(widthOf(width))
    return window !== undefined && this.#rounds - window.lastRound < staleAfter
  }

  /** Returns the expected time; undefined before the first round of any. */
  of(width: number): number | undefined {
    const kept = widthOf(width)
    let widest = 0
    let [scaled, least] = [Infinity, Infinity]
    for (const [each, { median }] of this.#windows) {
      if (each > kept) least = Math.min(least, median)
      else if (each > widest) {
        widest = each
        scaled = median * (usualCost(kept) / usualCost(each))
      }
    }
    const ms = Math.min(scaled, least)
    return Number.isFinite(ms) ? ms : undefined
  }
}

/** The times of all routes of a model that were used lately. */
export class RouteTimes {
  readonly #routes = new Map<string, RoundTimes>()

  /** @param route - names the servers and the way between them */
  of(route: string): RoundTimes {
    const times = this.#routes.get(route) ?? new RoundTimes()
    this.#routes.delete(route)
    this.#routes.set(route, times)
    const [oldest] = this.#routes.keys()
    if (this.#routes.size > maxRoutes && oldest !== undefined) this.#routes.delete(oldest)
    return times
  }
}

const widthOf = (width: number): number => stepWidths.findLast((each) => each <= width) ?? 1

/** The cost of a step relative to one token on servers that compute on CPUs, where it grows most (measured: 1.25–1.6 for 2, 2.1 for 16). */
const usualCost = (width: number): number => (width === 1 ? 1 : 1.45 + 0.045 * width)

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[sorted.length >> 1]!
}
