import process from 'node:process'

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Measures work of this process by the clock and by the processor. */
export class Stopwatch {
  readonly startedAt = performance.now()
  readonly #startedCpuMs = cpuMs()

  /** Milliseconds since the start in which this process computed: what is held up by other processes does not count. */
  get computedMs(): number {
    return Math.min(performance.now() - this.startedAt, cpuMs() - this.#startedCpuMs)
  }
}
