import { readFileSync } from 'node:fs'
import os from 'node:os'

/** Counting them reads files. */
const installedCores = os.cpus().length

/**
 * Returns whether so many threads would have to share cores with what computes at this moment (`/proc/loadavg` of Linux, whose
 * fourth figure is the number of threads that run or wait for a core). Other systems don't tell it: false.
 */
export function wouldShareCores(
  threads: number,
  { cores = installedCores, read = readLoad }: { cores?: number; read?: () => string | undefined } = {},
): boolean {
  const [, running] = / (\d+)\/\d+ /.exec(read() ?? '') ?? []
  // The thread that asks is one of them. Sandboxes that count nothing say 0.
  const others = Number(running ?? 0) - 1
  return others > cores - threads
}

function readLoad(): string | undefined {
  if (process.platform !== 'linux') return undefined
  try {
    return readFileSync('/proc/loadavg', 'latin1')
  } catch {
    return undefined
  }
}
