import process from 'node:process'

/** No machine on which a model is of use takes this long for a step of one token, other programs and spinning threads included. */
const FLOOR_MS = 2000
/** How many times as long as the steps before it a step may take: contexts grow, and processors slow down when they get hot. */
const FACTOR = 30
/** How many times as long a step may wait as compute: other programs have the cores, or a GPU computes. */
const WAITING_FACTOR = 15
/** Page faults between two looks from which on the step reads the model from the disk, and does not only allocate memory. */
const READING_FAULTS = 8
/** The longest time between two looks that counts: after more the machine was asleep. */
const MAX_WAKING_MS = 1000

/** What a process has used so far. */
export interface Usage {
  /** Of the clock on the wall, in milliseconds. */
  readonly wallMs: number
  /** Of all its threads together, in milliseconds. */
  readonly cpuMs: number
  /** How often it waited for the disk, because a page was not in memory. */
  readonly faults: number
}

/** Returns what this process has used so far. */
export function currentUsage(): Usage {
  const { userCPUTime, systemCPUTime, majorPageFault } = process.resourceUsage()
  return {
    wallMs: performance.now(),
    cpuMs: (userCPUTime + systemCPUTime) / 1000,
    faults: majorPageFault,
  }
}

export interface StepClockOptions {
  /** How long steps of this size take, in milliseconds; undefined if there was none yet. */
  readonly expectedMs: number | undefined
  /** How many threads compute the step. */
  readonly threads: number
  readonly usage?: () => Usage
}

/**
 * Judges whether a step hangs. A slow machine must not be taken for one that hangs, so the limit is learnt from earlier steps,
 * and what counts is the time that each thread has computed: time in which other programs have the cores, the disk is read
 * or the machine sleeps does not count. A step that waits without computing gets a multiple of the limit.
 */
export class StepClock {
  /** How long the step may compute, in milliseconds; undefined if nothing is known about steps of its size. */
  readonly limitMs: number | undefined
  readonly #threads: number
  readonly #usage: () => Usage
  readonly #start: Usage
  #lastReading: Usage
  #last: Usage
  #wakingMs = 0

  constructor({ expectedMs, threads, usage = currentUsage }: StepClockOptions) {
    this.limitMs = expectedMs === undefined ? undefined : Math.max(FLOOR_MS, FACTOR * expectedMs)
    this.#threads = threads
    this.#usage = usage
    this.#start = this.#last = this.#lastReading = usage()
  }

  /** How long ago the step began, in milliseconds. */
  get elapsedMs(): number {
    return this.#usage().wallMs - this.#start.wallMs
  }

  /** Returns whether the step hangs. It is to be asked about twice a second. */
  hangs(): boolean {
    if (this.limitMs === undefined) return false
    const now = this.#usage()
    if (now.faults - this.#last.faults >= READING_FAULTS) this.#reads(now)
    else this.#wakingMs += Math.min(now.wallMs - this.#last.wallMs, MAX_WAKING_MS)
    this.#last = now
    const computedMs = (now.cpuMs - this.#lastReading.cpuMs) / this.#threads
    // Threads that other parts of the process use don't make a step last longer than it does.
    return (
      Math.min(computedMs, this.#wakingMs) > this.limitMs || this.#wakingMs > WAITING_FACTOR * this.limitMs
    )
  }

  /** The step makes progress: both times begin again. */
  #reads(now: Usage): void {
    this.#lastReading = now
    this.#wakingMs = 0
  }
}

/** Measures elapsed time and the CPU time of this process. */
export class Stopwatch {
  readonly #start = currentUsage()

  get elapsedMs(): number {
    return performance.now() - this.#start.wallMs
  }

  /** CPU milliseconds since the start: time in which other processes had the cores does not count. */
  get computedMs(): number {
    return Math.min(this.elapsedMs, currentUsage().cpuMs - this.#start.cpuMs)
  }
}
