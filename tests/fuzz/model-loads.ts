// node --conditions=petals-chat-source tests/fuzz/model-loads.ts [--mutants N] [--seed N]
//
// Loads mutants of the default model's file in processes of their own, 10,000 by default. Each must be refused in words or run,
// within 30 seconds and 2 GiB; at the end a few are loaded by the whole engine. `npm run fuzz` has the readers of the other files.
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { loadMutants, readMutants } from '../../packages/llama/src/testing/mutant-loads.ts'
import { defaultModelPath } from '../support/model.ts'

const limitMs = 30_000
const limitBytes = 2 * 2 ** 30
const engineLoads = 10

const { values } = parseArgs({
  options: { mutants: { type: 'string', default: '10000' }, seed: { type: 'string', default: '1' } },
})
const mutants = Number(values.mutants)
const original = await defaultModelPath()

/** Returns an endless series of random integers below its argument. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1
  return (below) => {
    // xorshift32
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

const folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-mutants-'))
const startedAt = performance.now()
try {
  const series = Array.from({ length: availableParallelism() }, (_, index) => index)
  const results = await Promise.all(
    series.map((index) =>
      readMutants({
        original,
        scratch: path.join(folder, `mutant-${index}.gguf`),
        mutants: Math.ceil(mutants / series.length),
        random: randomFrom(Number(values.seed) + 7919 * index),
        limitMs,
        limitBytes,
      }),
    ),
  )
  const total: Record<string, number> = {}
  for (const { outcomes } of results)
    for (const [outcome, count] of Object.entries(outcomes)) total[outcome] = (total[outcome] ?? 0) + count
  const most = Math.max(...results.map(({ mostBytes }) => mostBytes))
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  console.table([{ ...total, seconds, 'most memory, MiB': Math.round(most / 2 ** 20) }])
  const findings = results.flatMap((result) => result.findings)
  for (const finding of findings) console.log(JSON.stringify(finding))
  // A mutant may end its own process: the engine then says so. It may not hang, or fill the memory.
  if (findings.some(({ outcome }) => outcome !== 'ended')) process.exitCode = 1
  const scratch = path.join(folder, 'mutant.gguf')
  const random = randomFrom(Number(values.seed))
  // Each of these also starts a process and reads the vocabulary twice.
  const limits = { loads: engineLoads, limitMs: 4 * limitMs }
  console.table([await loadMutants({ original, scratch, random, ...limits })])
} finally {
  await rm(folder, { recursive: true, force: true })
}
