// node --conditions=petals-chat-source bench/lm-head.ts [--rounds N] [--json FILE]
//
// Compares the greedy choice of the next token from one hidden state, by this LM head and by torch, alternating. Then measures
// the choices for several hidden states in one pass, as a step with guessed tokens needs them.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { LmHead } from '../packages/petals/src/layers/head/lm-head.ts'
import { seededBits } from '../packages/petals/src/sampling/random.ts'
import { bestToken } from '../packages/petals/src/sampling/ranking.ts'
import { cacheFolder, python } from '../swarm/paths.ts'
import { startLinePeer, type LinePeer } from './support/line-peer.ts'
import { median, quartiles, rounded } from './support/statistics.ts'

const peerScript = fileURLToPath(new URL('python/matvec.py', import.meta.url))
const shapes = [
  { rows: 32_000, columns: 8192, of: 'Llama 2 70B' },
  { rows: 49_152, columns: 576, of: 'SmolLM2 135M' },
] as const
type Shape = (typeof shapes)[number]

/** Consecutive products of one contender: the first one has cold caches, as after a step of the swarm. */
const productsPerTurn = 3

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '9' }, json: { type: 'string' } },
})
const rounds = Number(values.rounds)

interface Contender {
  readonly name: string
  /** One greedy choice. */
  choose(input: Float32Array): Promise<{ readonly ms: number; readonly token: number }>
}

interface Measured {
  readonly name: string
  readonly medianMs: number
  readonly quartilesMs: readonly [number, number]
}

const random = seededBits(7)
const uniform = (): number => (random() + 0.5) / 2 ** 32
const gaussian = (): number => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())

function torchContender(peer: LinePeer, dtype: string, threads: number): Contender {
  return {
    name: `torch ${dtype}`,
    choose: async (input) =>
      (await peer.ask({ dtype, threads, input: [...input] })) as { ms: number; token: number },
  }
}

function ourContender(head: LmHead): Contender {
  return {
    name: 'Petals Chat',
    async choose(input) {
      const begin = performance.now()
      const [logits] = await head.logits([input])
      const { token } = bestToken(logits!)
      return { ms: performance.now() - begin, token }
    },
  }
}

/** Checks that our token is that of the most exact product, each time. */
function requireEqual(tokens: ReadonlyMap<string, number>): void {
  const expected = tokens.get('torch float32')
  if (tokens.get('Petals Chat') === expected) return
  throw new Error(`Other tokens: ${[...tokens].map(([name, token]) => `${name} ${token}`).join(', ')}`)
}

async function measure(contenders: readonly Contender[], columns: number): Promise<readonly Measured[]> {
  const times = new Map(contenders.map(({ name }) => [name, [] as number[]]))
  for (let round = -1; round < rounds; round++) {
    const inputs = Array.from({ length: productsPerTurn }, () =>
      Float32Array.from({ length: columns }, gaussian),
    )
    const chosen = inputs.map(() => new Map<string, number>())
    for (const { name, choose } of contenders) {
      for (const [index, input] of inputs.entries()) {
        const { ms, token } = await choose(input)
        chosen[index]!.set(name, token)
        if (round >= 0) times.get(name)!.push(ms) // the first round only warms up
      }
    }
    chosen.forEach(requireEqual)
  }
  return [...times].map(([name, all]) => ({
    name,
    medianMs: rounded(median(all)),
    quartilesMs: quartiles(all).map((value) => rounded(value)) as [number, number],
  }))
}

/** Hidden states of one pass. */
const together = [1, 2, 4, 8] as const

/** Times passes over so many hidden states, alternating. */
async function measureTogether(head: LmHead, columns: number) {
  const times = new Map(together.map((count) => [count, [] as number[]]))
  for (let round = -1; round < rounds; round++) {
    for (const count of together) {
      const inputs = Array.from({ length: count }, () => Float32Array.from({ length: columns }, gaussian))
      const begin = performance.now()
      for (const logits of await head.logits(inputs)) bestToken(logits)
      if (round >= 0) times.get(count)!.push(performance.now() - begin)
    }
  }
  const single = times.get(1)!
  return together.map((count) => {
    const all = times.get(count)!
    // The median of the ratios of the rounds: both were measured one after the other.
    const ratio = median(all.map((ms, round) => ms / single[round]!))
    return {
      states: count,
      medianMs: rounded(median(all)),
      leastMs: rounded(Math.min(...all)),
      ratio: rounded(ratio),
    }
  })
}

async function benchShape({ rows, columns, of }: Shape, folder: string) {
  const file = path.join(folder, 'weights.bin')
  await using peer = await startLinePeer(python, [peerScript, String(rows), String(columns), file])
  const tensor = { path: file, offset: 0, dtype: 'bfloat16', shape: [rows, columns] } as const
  const results = []
  let makingMs = 0
  let heldBytes = 0
  for (const threads of [1, 2]) {
    const begin = performance.now()
    await using head = await LmHead.create(tensor, { folder, threads })
    if (threads === 1) makingMs = performance.now() - begin
    heldBytes = head.memoryBytes
    const contenders = [
      ourContender(head),
      torchContender(peer, 'bfloat16', threads),
      torchContender(peer, 'float32', threads),
    ]
    const measured = await measure(contenders, columns)
    const [ours, ...others] = measured.map(({ medianMs }) => medianMs)
    const several = await measureTogether(head, columns)
    results.push({ threads, measured, several, ratio: rounded(Math.min(...others) / ours!) })
  }
  const megabytes = (bytes: number): number => Math.round(bytes / 1e6)
  return {
    shape: `${rows} x ${columns}`,
    of,
    firstStartSeconds: rounded(makingMs / 1000, 1),
    heldMegabytes: megabytes(heldBytes),
    results,
    ...(peer.ready as { readonly torch: string }),
  }
}

const machine = {
  processor: cpus()[0]?.model ?? 'unknown',
  cores: availableParallelism(),
  node: process.version,
  platform: `${process.platform} ${process.arch}`,
  load: loadavg().map((value) => rounded(value)),
  date: new Date().toISOString().slice(0, 10),
}

await mkdir(path.join(cacheFolder, 'bench'), { recursive: true })
const folder = await mkdtemp(path.join(cacheFolder, 'bench', 'lm-head-'))
try {
  const report = []
  for (const shape of shapes) report.push(await benchShape(shape, folder))
  const rows = report.flatMap(({ shape, results }) =>
    results.flatMap(({ threads, measured, ratio }) =>
      measured.map(({ name, medianMs, quartilesMs }, index) => ({
        shape,
        threads,
        contender: name,
        'median ms': medianMs,
        'middle half, ms': quartilesMs.join(' … '),
        'against the better torch': index === 0 ? `${ratio}x` : '',
      })),
    ),
  )
  console.log(machine)
  console.table(rows)
  console.table(
    report.flatMap(({ shape, results }) =>
      results.flatMap(({ threads, several }) => several.map((each) => ({ shape, threads, ...each }))),
    ),
  )
  if (values.json) await writeFile(values.json, JSON.stringify({ machine, rounds, report }, null, 2))
} finally {
  await rm(folder, { recursive: true, force: true })
}
