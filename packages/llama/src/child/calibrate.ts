import type { TokenId } from '@petals-chat/engine'
import type { NativeContext } from './native.ts'
import type { StepTimes } from '../protocol.ts'
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
  /** What an earlier process of this model measured: then no steps are computed. */
  readonly earlier: Pick<Calibration, 'stepTimes' | 'rewinds'> | undefined
}

export interface Calibration {
  readonly governor: ThreadGovernor
  readonly threads: number
  readonly decodeTokensPerSecond: number
  readonly stepTimes: readonly StepTimes[]
  /** The KV cache can drop its last tokens. */
  readonly rewinds: boolean
}

/** Steps per number of threads, unless they are slow. */
const STEPS = 4
/** A single step of a large model takes this long: then one measurement is enough. */
const ENOUGH_MS = 120

/** Measures single-token steps with each number of threads when the model loads, so that too many threads are noticed at once. */
export async function calibrate(options: CalibrateOptions): Promise<Calibration> {
  const { cores, threads, onCpu, earlier } = options
  const levels = threads === undefined && onCpu ? threadLevels(cores) : [threads ?? cores]
  const { stepTimes, rewinds } = earlier ?? (await measure(options, levels))
  const governor = new ThreadGovernor(levels)
  for (const { threads: level, ms } of stepTimes) for (const time of ms) governor.report(1, level, time)
  const [best] = stepTimes.map((times) => ({ ...times, ms: median(times.ms) })).sort((a, b) => a.ms - b.ms)
  return { governor, threads: best!.threads, decodeTokensPerSecond: 1000 / best!.ms, stepTimes, rewinds }
}

async function measure(
  { context, token }: CalibrateOptions,
  levels: readonly number[],
): Promise<Pick<Calibration, 'stepTimes' | 'rewinds'>> {
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
  const stepTimes: StepTimes[] = []
  for (const threads of levels) {
    const ms: number[] = []
    for (let spent = 0; ms.length < STEPS && spent < ENOUGH_MS; spent += ms.at(-1)!)
      ms.push(await step(threads))
    stepTimes.push({ threads, ms })
  }
  const rewinds = context.removeTokenCellsFromSequence(0, position - 1, -1)
  context.disposeSequence(0)
  return { stepTimes, rewinds }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
