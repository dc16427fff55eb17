import type { TokenId } from '@petals-chat/engine'
import type { NativeContext } from './native.ts'
import { ThreadGovernor, threadLevels } from './thread-governor.ts'

export interface CalibrateOptions {
  readonly context: NativeContext
  /** The token that the test steps compute. */
  readonly token: TokenId
  readonly cores: number
  /** The number of threads in the config. */
  readonly threads: number | undefined
  /** True if the CPU computes, not a GPU. */
  readonly onCpu: boolean
}

export interface Calibration {
  readonly governor: ThreadGovernor
  readonly threads: number
  readonly decodeTokensPerSecond: number
}

/** Steps per number of threads, unless they are slow. */
const STEPS = 4
/** A single step of a large model takes this long: then one measurement is enough. */
const ENOUGH_MS = 120

/** Measures single-token steps with each number of threads when the model loads, so that too many threads are noticed at once. */
export async function calibrate({
  context,
  token,
  cores,
  threads,
  onCpu,
}: CalibrateOptions): Promise<Calibration> {
  const levels = threads === undefined && onCpu ? threadLevels(cores) : [threads ?? cores]
  const governor = new ThreadGovernor(levels)
  let position = 0
  const step = async (level: number): Promise<number> => {
    context.initBatch(1)
    context.addToBatch(0, position++, Uint32Array.of(token), Uint32Array.of(0))
    context.setThreads(level)
    const startedAt = performance.now()
    await context.decodeBatch()
    return performance.now() - startedAt
  }
  await step(levels[0]!) // the first step reads the weights from the disk
  const best = { threads: levels[0]!, ms: Infinity }
  for (const level of levels) {
    const times: number[] = []
    for (let spent = 0; times.length < STEPS && spent < ENOUGH_MS; spent += times.at(-1)!)
      times.push(await step(level))
    for (const ms of times) governor.report(1, level, ms)
    const median = times.sort((a, b) => a - b)[times.length >> 1]!
    if (median < best.ms) Object.assign(best, { threads: level, ms: median })
  }
  context.disposeSequence(0)
  return { governor, threads: best.threads, decodeTokensPerSecond: 1000 / best.ms }
}
