// node --conditions=petals-chat-source tests/fuzz/model-loads.ts [--loads N] [--seed N]
//
// Loads mutants of the default model's file in the process of a model: 10,000 take some hours. Each must be refused in words or
// run, within 30 seconds and 2 GiB. `npm run fuzz` has the readers of the other files.
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { loadMutants } from '../../packages/llama/src/testing/mutant-loads.ts'
import { defaultModelPath } from '../support/model.ts'

const limitMs = 30_000
const limitBytes = 2 * 2 ** 30

const { values } = parseArgs({
  options: { loads: { type: 'string', default: '100' }, seed: { type: 'string', default: '1' } },
})

let state = Number(values.seed) >>> 0 || 1
const random = (below: number): number => {
  // xorshift32
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  return (state >>> 0) % below
}

/** The memory of the largest process that this one has started, in bytes. Linux only. */
function largestChild(): number {
  const children = readdirSync('/proc/self/task').flatMap((task) =>
    readFileSync(`/proc/self/task/${task}/children`, 'utf8').split(' ').filter(Boolean),
  )
  return Math.max(0, ...children.map(memoryOf))
}

function memoryOf(pid: string): number {
  try {
    return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0 // it has ended
  }
}

let most = 0
const watch = setInterval(() => (most = Math.max(most, largestChild())), 100)
const folder = await mkdtemp(path.join(tmpdir(), 'petals-chat-mutants-'))
const startedAt = performance.now()
try {
  const scratch = path.join(folder, 'mutant.gguf')
  const outcomes = await loadMutants({
    original: await defaultModelPath(),
    scratch,
    loads: Number(values.loads),
    random,
    limitMs,
  })
  const seconds = Math.round((performance.now() - startedAt) / 1000)
  console.table([{ ...outcomes, seconds, 'most memory, MiB': Math.round(most / 2 ** 20) }])
  if (most > limitBytes) {
    console.error(
      `A process took ${Math.round(most / 2 ** 20)} MiB; at most ${limitBytes / 2 ** 20} are allowed.`,
    )
    process.exitCode = 1
  }
} finally {
  clearInterval(watch)
  await rm(folder, { recursive: true, force: true })
}
