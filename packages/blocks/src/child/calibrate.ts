import type { EngineSettings, ThreadRange, Threads } from '../protocol.ts'
import type { KvPool, SessionCache } from './kv-pool.ts'
import type { StepRunner } from './step-runner.ts'

/** Tokens of the long step that is measured, and blocks that both go through at most. */
const longStep = 32
const measuredBlocks = 4
const repetitions = 3
/** More threads must be faster by this factor: they take cores from others, and wait for each other. */
const worthwhile = 0.9

/** Measures how many of the usual threads compute fastest, for steps of one token and for long ones. */
export async function calibrate(
  runner: StepRunner,
  pool: KvPool,
  { blocks, threads }: { readonly blocks: number } & Pick<EngineSettings, 'threads'>,
): Promise<Threads> {
  if (threads.usual <= 1) return { decode: threads, prefill: threads }
  const to = Math.min(blocks, measuredBlocks)
  const cache = pool.open(-1, { from: 0, to, batch: 1, maxLength: longStep })
  try {
    const candidates = powersUpTo(threads.usual)
    const rangeFor = async (tokens: number): Promise<ThreadRange> =>
      rangeOf(threads, await fastest(candidates, (count) => time(runner, cache, tokens, count)))
    return { decode: await rangeFor(1), prefill: await rangeFor(longStep) }
  } finally {
    pool.close(-1)
  }
}

/** More than the usual threads don't help where fewer of these are as fast. */
const rangeOf = (allowed: ThreadRange, usual: number): ThreadRange =>
  usual === allowed.usual ? allowed : { usual, most: usual }

/** 1, 2, 4 … and the limit itself. */
function powersUpTo(limit: number): readonly number[] {
  const result: number[] = []
  for (let count = 1; count < limit; count *= 2) result.push(count)
  return [...result, limit]
}

async function fastest(
  candidates: readonly number[],
  measure: (threads: number) => Promise<number>,
): Promise<number> {
  let [best, bestMs] = [1, Infinity]
  for (const threads of candidates) {
    const ms = await measure(threads)
    if (ms < bestMs * worthwhile) [best, bestMs] = [threads, ms]
  }
  return best
}

/** The time of a step in milliseconds: the least of several, because other programs only add to it. */
async function time(
  runner: StepRunner,
  cache: SessionCache,
  count: number,
  threads: number,
): Promise<number> {
  const range = { usual: threads, most: threads }
  runner.setThreads({ decode: range, prefill: range })
  const states = new Float32Array(count * runner.hiddenSize).fill(0.01)
  const items = [{ cache, rowFrom: 0, rowTo: 1, position: 0, count }]
  let least = Infinity
  // The first one only builds the graph and reads the weights.
  for (let repetition = 0; repetition <= repetitions; repetition++) {
    const startedAt = performance.now()
    await runner.run({ from: cache.from, to: cache.to, items, states })
    if (repetition > 0) least = Math.min(least, performance.now() - startedAt)
  }
  return least
}
