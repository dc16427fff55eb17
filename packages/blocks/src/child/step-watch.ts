import { StepClock, type Usage } from '@petals-chat/llama/step-clock'

/** What the first step is expected to take at most; no limit is shorter than 30 times `leastMs`. */
const firstMs = 4000
const leastMs = 500
/** How much the last measurement counts in the mean. */
const meanWeight = 0.3

export interface StepSize {
  readonly tokens: number
  readonly blocks: number
  /** Threads that compute it. */
  readonly threads: number
}

/**
 * Judges whether a step hangs: threads of llama.cpp that wait for each other for ever can't be stopped, so the process has to end.
 * The limit is learnt from the steps before, and counts CPU time (`StepClock`).
 */
export class StepWatch {
  /** Milliseconds for a block, by the binary logarithm of the tokens. */
  readonly #means = new Map<number, number>()
  readonly #usage: (() => Usage) | undefined
  #clock: StepClock | undefined

  constructor(usage?: () => Usage) {
    this.#usage = usage
  }

  async timed<T>(size: StepSize, compute: () => Promise<T>): Promise<T> {
    const expectedMs = Math.max(leastMs, this.#expectedMs(size))
    const clock = new StepClock({
      expectedMs,
      threads: size.threads,
      ...(this.#usage && { usage: this.#usage }),
    })
    this.#clock = clock
    try {
      const result = await compute()
      this.#learn(size, clock.elapsedMs / size.blocks)
      return result
    } finally {
      this.#clock = undefined
    }
  }

  /** Returns the limit that the present step has exceeded, in milliseconds; undefined if it may go on. To be asked twice a second. */
  overdueMs(): number | undefined {
    return this.#clock?.hangs() ? this.#clock.limitMs : undefined
  }

  /** Steps of a size that was never measured take at most as many times as long as they have more tokens than others. */
  #expectedMs({ tokens, blocks }: StepSize): number {
    const wanted = classOf(tokens)
    const known = [...this.#means].map(([size, ms]) => ms * 2 ** Math.max(0, wanted - size))
    const mean = this.#means.get(wanted) ?? (known.length > 0 ? Math.max(...known) : undefined)
    return mean === undefined ? firstMs : mean * blocks
  }

  #learn({ tokens }: StepSize, ms: number): void {
    const size = classOf(tokens)
    const mean = this.#means.get(size) ?? ms
    this.#means.set(size, mean + (ms - mean) * meanWeight)
  }
}

const classOf = (tokens: number): number => Math.ceil(Math.log2(tokens))
