/** Steps until another number of threads is tried again; doubled each time that it was no better. */
const FIRST_PROBE_AFTER = 64
const LAST_PROBE_AFTER = 1024
/** How much a new measurement counts against the older ones. */
const WEIGHT = 0.3
/** From so many tokens on, time grows with their number and is compared per token. */
const LARGE_BATCH = 9

interface Choice {
  /** Milliseconds of a step (of a large batch: of a token), by number of threads. */
  readonly cost: Map<number, number>
  stepsSinceProbe: number
  probeAfter: number
}

/**
 * Picks the number of threads for each step. llama.cpp's threads wait for each other by spinning, many times within a
 * step: when another process takes a core, all of them wait for the one that lost it, and fewer threads are faster (on
 * two busy cores: one thread 12 ms a token, two 22 ms; idle: 11 and 7). So the time of the steps decides, measured as
 * they come, for each size of batch by itself.
 */
export class ThreadGovernor {
  readonly #levels: readonly number[]
  readonly #choices = new Map<number, Choice>()
  #prefillTokensPerMs: number | undefined

  /** `levels`: the numbers to choose from, most first. A single one is always taken. */
  constructor(levels: readonly number[]) {
    this.#levels = levels
  }

  /** How fast prompts were read of late, in tokens per millisecond; undefined before the first one. */
  get prefillTokensPerMs(): number | undefined {
    return this.#prefillTokensPerMs
  }

  /** Threads for a step of `batchSize` tokens. */
  choose(batchSize: number): number {
    const [most] = this.#levels
    if (this.#levels.length === 1) return most!
    const choice = this.#choiceFor(batchSize)
    const best = this.#best(choice)
    if (++choice.stepsSinceProbe < choice.probeAfter) return best
    choice.stepsSinceProbe = 0
    return this.#leastKnown(choice, best)
  }

  /** Takes note of how long a step took. */
  report(batchSize: number, threads: number, stepMs: number): void {
    const choice = this.#choiceFor(batchSize)
    const best = this.#best(choice)
    const cost = batchSize >= LARGE_BATCH ? stepMs / batchSize : stepMs
    choice.cost.set(threads, average(choice.cost.get(threads), cost))
    if (threads !== best) {
      const isBetter = this.#best(choice) === threads
      choice.probeAfter = isBetter ? FIRST_PROBE_AFTER : Math.min(choice.probeAfter * 2, LAST_PROBE_AFTER)
    }
    if (batchSize >= LARGE_BATCH) {
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

  /** The cheapest that was measured; at first the most threads. */
  #best({ cost }: Choice): number {
    let best = this.#levels[0]!
    for (const level of this.#levels) {
      if ((cost.get(level) ?? Infinity) < (cost.get(best) ?? Infinity)) best = level
    }
    return best
  }

  /** A level other than the best: one that was never measured, else the cheapest of them. */
  #leastKnown({ cost }: Choice, best: number): number {
    const others = this.#levels.filter((level) => level !== best)
    return others.reduce((least, level) => ((cost.get(level) ?? 0) < (cost.get(least) ?? 0) ? level : least))
  }
}

const average = (before: number | undefined, value: number): number =>
  before === undefined ? value : before + (value - before) * WEIGHT

/** Numbers of threads worth choosing from on so many cores: all, all but one (for who else computes), half. */
export function threadLevels(cores: number): number[] {
  return [...new Set([cores, Math.max(1, cores - 1), Math.ceil(cores / 2)])]
}
