import type { ThreadRange } from '../protocol.ts'

/** With all threads a step must take at most this part of the time without the last ones: they take cores from others. */
const worthwhile = 0.9
/** How much the last measurement counts in the mean. */
const meanWeight = 0.3
/** How long the usual threads compute after all of them were too slow. It doubles each time, and begins anew when they last. */
const leastPauseMs = 50
const mostPauseMs = 10_000

/** What a step computes. */
export interface StepWork {
  readonly tokens: number
  readonly blocks: number
  /** Cells of the KV cache that it reads in each block. */
  readonly cells: number
}

export interface ThreadChoice {
  readonly threads: number
  /** When the step is to be stopped, and computed by the usual threads; undefined for never. */
  readonly limitMs?: number
}

/** How a step went. Both times are of the wall, but `undisturbedMs` is without waiting for a core. */
export interface StepTime {
  readonly ms: number
  readonly undisturbedMs: number
  readonly isStopped: boolean
}

export interface ChooserOptions {
  readonly now?: () => number
  /** Whether other programs compute at this moment, as far as it is known. */
  readonly isBusy?: () => boolean
}

/**
 * Chooses the number of threads for each step of one kind: all that are allowed while the other cores are idle, else the usual
 * ones. ggml's threads spin while they wait for each other, a hundred times within a step: when another program takes the core
 * of one, a step takes up to a hundred times as long. So a step of all threads is stopped when one of the usual threads would
 * have ended. A wrong choice therefore costs as much again as the step, and rarely, for the pauses after it grow.
 */
export class ThreadChooser {
  readonly #range: ThreadRange
  readonly #now: () => number
  readonly #isBusy: () => boolean
  /** Milliseconds of a token in a block with the usual threads, by the classes of tokens, then of cells. */
  readonly #costs = new Map<number, Map<number, number>>()
  /** When steps began to use all threads; undefined while they don't. */
  #allSince: number | undefined
  #pausedUntil = -Infinity
  #pauseMs = leastPauseMs

  constructor(
    range: ThreadRange,
    { now = () => performance.now(), isBusy = () => false }: ChooserOptions = {},
  ) {
    const { usual, most } = range
    // More can't be worthwhile where they are so many that the last ones do little.
    this.#range = usual / most < worthwhile ? range : { usual, most: usual }
    this.#now = now
    this.#isBusy = isBusy
  }

  /** The number of threads that most of the present steps use. */
  get present(): number {
    return this.#allSince === undefined ? this.#range.usual : this.#range.most
  }

  choose(work: StepWork): ThreadChoice {
    const { usual, most } = this.#range
    const usualMs = most > usual ? this.#usualMs(work) : undefined
    if (usualMs === undefined || !this.#mayUseAll()) return { threads: usual }
    this.#allSince ??= this.#now()
    return { threads: most, limitMs: usualMs }
  }

  /** Learns from a step that was computed as chosen. */
  report(
    work: StepWork,
    { threads, limitMs }: ThreadChoice,
    { ms, undisturbedMs, isStopped }: StepTime,
  ): void {
    if (limitMs === undefined) {
      if (threads === this.#range.usual) this.#learn(work, undisturbedMs)
    } else if (isStopped || ms > worthwhile * limitMs) this.#pause()
    else if (this.#now() - this.#allSince! >= this.#pauseMs) this.#pauseMs = leastPauseMs
  }

  #mayUseAll(): boolean {
    return this.#allSince !== undefined || (this.#now() >= this.#pausedUntil && !this.#isBusy())
  }

  #pause(): void {
    this.#allSince = undefined
    this.#pausedUntil = this.#now() + this.#pauseMs
    this.#pauseMs = Math.min(2 * this.#pauseMs, mostPauseMs)
  }

  /** How long the usual threads take; undefined if they have computed no step of about as many tokens. */
  #usualMs({ tokens, blocks, cells }: StepWork): number | undefined {
    const byCells = this.#costs.get(classOf(tokens))
    if (byCells === undefined) return undefined
    const wanted = classOf(cells)
    const distance = (known: number): number => Math.abs(known - wanted)
    const nearest = [...byCells].reduce((a, b) => (distance(b[0]) < distance(a[0]) ? b : a))
    return nearest[1] * tokens * blocks
  }

  #learn({ tokens, blocks, cells }: StepWork, ms: number): void {
    const byCells = this.#costs.get(classOf(tokens)) ?? new Map<number, number>()
    this.#costs.set(classOf(tokens), byCells)
    const cost = ms / (tokens * blocks)
    const mean = byCells.get(classOf(cells)) ?? cost
    byCells.set(classOf(cells), mean + (cost - mean) * meanWeight)
  }
}

const classOf = (count: number): number => Math.ceil(Math.log2(count))
