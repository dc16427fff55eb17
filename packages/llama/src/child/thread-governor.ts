/** Steps until another number of threads is probed; doubled each time that it was not better. */
const FIRST_PROBE_AFTER = 64
const LAST_PROBE_AFTER = 1024
/** The weight of a new measurement against the older ones. */
const WEIGHT = 0.3
/** From this many tokens on, the time of a step grows with their number and is compared per token. */
const LARGE_BATCH = 9

interface Choice {
  /** Milliseconds per step (for a large batch: per token), by number of threads. */
  readonly cost: Map<number, number>
  stepsSinceProbe: number
  probeAfter: number
}

/**
 * Chooses the number of threads for each step. llama.cpp's threads spin while they wait for each other, many times within a
 * step. When another process takes a core, all threads wait for the one that lost it, and fewer threads are faster: on two
 * busy cores one thread takes 12 ms per token and two take 22 ms; on idle cores 11 and 7 ms. So the measured times of past
 * steps decide, separately for each size of batch.
 */
export class ThreadGovernor {
  readonly #levels: readonly number[]
  readonly #choices = new Map<number, Choice>()
  #prefillTokensPerMs: number | undefined

  /** `levels` are the numbers to choose from, in descending order. A single one is always chosen. */
  constructor(levels: readonly number[]) {
    this.#levels = levels
  }

  /** The recent speed of prompts, in tokens per millisecond; undefined before the first prompt. */
  get prefillTokensPerMs(): number | undefined {
    return this.#prefillTokensPerMs
  }

  /** Returns the number of threads for a step of `batchSize` tokens. */
  choose(batchSize: number): number {
    const [most] = this.#levels
    if (this.#levels.length === 1) return most!
    const choice = this.#choiceFor(batchSize)
    const best = this.#best(choice)
    if (++choice.stepsSinceProbe < choice.probeAfter) return best
    choice.stepsSinceProbe = 0
    return this.#leastKnown(choice, best)
  }

  /** Returns how long a step of `batchSize` tokens takes with the slowest number of threads so far; undefined before the first one. */
  expectedMs(batchSize: number): number | undefined {
    const { cost } = this.#choiceFor(batchSize)
    if (cost.size > 0) return Math.max(...cost.values()) * (batchSize >= LARGE_BATCH ? batchSize : 1)
    // Tokens in one step take less time than each in its own.
    return batchSize === 1 ? undefined : scaled(this.expectedMs(1), batchSize)
  }

  /** Records how long a step took, of whose tokens `promptTokens` were parts of prompts. */
  report(batchSize: number, threads: number, stepMs: number, promptTokens = 0): void {
    const choice = this.#choiceFor(batchSize)
    const best = this.#best(choice)
    const cost = batchSize >= LARGE_BATCH ? stepMs / batchSize : stepMs
    choice.cost.set(threads, average(choice.cost.get(threads), cost))
    if (threads !== best) {
      const isBetter = this.#best(choice) === threads
      choice.probeAfter = isBetter ? FIRST_PROBE_AFTER : Math.min(choice.probeAfter * 2, LAST_PROBE_AFTER)
    }
    // The next tokens of many answers take more time each, on a GPU many times as much.
    if (promptTokens >= LARGE_BATCH && promptTokens >= batchSize / 2) {
      const speed = batchSize / Math.max(stepMs, 0.001)
      this.#prefillTokensPerMs = average(this.#prefillTokensPerMs, speed)
    }
  }

  #choiceFor(batchSize: number): Choice {
    const key = Math.min(batchSize, LARGE_BATCH)
    let choice = this.#choices.get(key)
    if (choice === undefined) {
      choice = { cost: new Map(), stepsSinceProbe: 0, probeAfter: FIRST_PROBE_AFTER }
      this.#choices.set(key, choice)
    }
    return choice
  }

  /** Returns the fastest measured level; before any measurement, the most threads. */
  #best({ cost }: Choice): number {
    let best = this.#levels[0]!
    for (const level of this.#levels) {
      if ((cost.get(level) ?? Infinity) < (cost.get(best) ?? Infinity)) best = level
    }
    return best
  }

  /** Returns a level other than the best: one that was never measured, or else the fastest of them. */
  #leastKnown({ cost }: Choice, best: number): number {
    const others = this.#levels.filter((level) => level !== best)
    return others.reduce((least, level) => ((cost.get(level) ?? 0) < (cost.get(least) ?? 0) ? level : least))
  }
}

const scaled = (value: number | undefined, factor: number): number | undefined =>
  value === undefined ? undefined : value * factor

const average = (before: number | undefined, value: number): number =>
  before === undefined ? value : before + (value - before) * WEIGHT

/** Returns the numbers of threads to choose from: all cores, all but one (for other programs), and half. */
export function threadLevels(cores: number): number[] {
  return [...new Set([cores, Math.max(1, cores - 1), Math.ceil(cores / 2)])]
}
