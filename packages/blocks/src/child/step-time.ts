import process from 'node:process'

/** How long something took. */
export interface Elapsed {
  readonly ms: number
  /** About what it had taken if no other program had run. */
  readonly undisturbedMs: number
}

/** Measures work that keeps some threads busy: returns a function that tells the time since. */
export function startTimer(threads: number): () => Elapsed {
  const [startedAt, cpuBefore] = [performance.now(), process.cpuUsage()]
  return () => {
    const ms = performance.now() - startedAt
    return { ms, undisturbedMs: Math.min(ms, cpuMsSince(cpuBefore) / threads) }
  }
}

/** CPU time of all threads: they spin while they wait for each other, so it grows as long as they have their cores. */
function cpuMsSince(before: NodeJS.CpuUsage): number {
  // Windows counts in ticks of 16 ms.
  if (process.platform === 'win32') return Infinity
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}
