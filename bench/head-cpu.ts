// node --conditions=petals-chat-source bench/head-cpu.ts [--trees FOLDER,…] [--shapes ROWSxCOLUMNS,…] [--gap MS] [--positions N] [--temperature T] [--threads N] [--rounds N] [--passes N]
//
// Measures the CPU time of a pass of the LM head with the choice of its tokens: that of this process and of the head's. With
// the folders of several versions of this repository, they alternate.
import { mkdir, mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import type { LmHead } from '../packages/petals/src/layers/head/lm-head.ts'
import { seededBits } from '../packages/petals/src/sampling/random.ts'
import type { createSampler, Sampler } from '../packages/petals/src/sampling/sampler.ts'
import { cacheFolder } from '../swarm/paths.ts'
import { describeMachine } from './support/machine.ts'
import { median, rounded } from './support/statistics.ts'

const { values } = parseArgs({
  options: {
    trees: { type: 'string', default: '.' },
    shapes: { type: 'string', default: '49152x576,128256x1024,250880x1024' },
    gap: { type: 'string', default: '15' },
    positions: { type: 'string', default: '1' },
    temperature: { type: 'string', default: '0' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '7' },
    passes: { type: 'string', default: '20' },
  },
})
const positions = Number(values.positions)
const passes = Number(values.passes)

const random = seededBits(7)
const uniform = (): number => (random() + 0.5) / 2 ** 32
const gaussian = (): number => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())

interface Shape {
  readonly rows: number
  readonly columns: number
}

/** Random weights in bfloat16, some rows at a time. */
async function writeWeights(file: string, { rows, columns }: Shape): Promise<void> {
  // The upper halves of some float32 numbers.
  const numbers = new Uint32Array(Float32Array.from({ length: 2 ** 16 }, () => gaussian() * 0.05).buffer)
  const rowsAtOnce = 256
  await using handle = await open(file, 'w')
  for (let row = 0; row < rows; row += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, rows - row) * columns
    await handle.write(Uint16Array.from({ length: count }, () => numbers[random() & 0xffff]! >>> 16))
  }
}

/** A hidden state, and the token that it makes the most likely. */
interface State {
  readonly token: number
  readonly input: Float32Array
}

/** States near a row each, as those of a trained model are: few tokens are likely. */
async function readStates(file: string, { rows, columns }: Shape): Promise<readonly State[]> {
  await using handle = await open(file, 'r')
  const states: State[] = []
  for (let i = 0; i < 32; i++) {
    const token = (i * 7919) % rows
    const halves = new Uint16Array(columns)
    await handle.read(halves, 0, halves.byteLength, token * halves.byteLength)
    const row = new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer)
    states.push({ token, input: row.map((value) => value * 4 + gaussian() * 0.05) })
  }
  return states
}

/** CPU time of all threads of a process. Linux only. */
async function cpuMs(pid: number): Promise<number> {
  let sum = 0
  for (const task of await readdir(`/proc/${pid}/task`)) {
    const text = await readFile(`/proc/${pid}/task/${task}/schedstat`, 'utf8')
    sum += Number(text.split(' ')[0]) / 1e6
  }
  return sum
}

/** Milliseconds for a pass. */
interface Figures {
  readonly own: number
  readonly head: number
  readonly untilChoice: number
  readonly choice: number
}

interface Contender {
  readonly tree: string
  readonly head: LmHead
  readonly sampler: Sampler
  readonly figures: Figures[]
}

interface Version {
  readonly LmHead: typeof LmHead
  readonly createSampler: typeof createSampler
}

async function load(tree: string): Promise<Version> {
  const part = async (name: string): Promise<Partial<Version>> =>
    (await import(pathToFileURL(path.resolve(tree, 'packages/petals/src', name)).href)) as Partial<Version>
  return {
    ...(await part('layers/head/lm-head.ts')),
    ...(await part('sampling/sampler.ts')),
  } as Version
}

/** A pass, and the choice of its tokens. */
async function pass({ head, sampler }: Contender, states: readonly State[]) {
  const begin = performance.now()
  const all = await head.logits(states.map(({ input }) => input))
  const computed = performance.now()
  for (const [index, logits] of all.entries()) {
    const token = sampler.sample(logits, { tokens: [], answerStart: 0 })
    if (values.temperature === '0' && token !== states[index]!.token) throw new Error(`Chose ${token}.`)
  }
  const end = performance.now()
  return { untilChoice: end - begin, choice: end - computed }
}

async function measure(contender: Contender, states: readonly State[]): Promise<Figures> {
  const pid = contender.head.pid!
  const headBefore = await cpuMs(pid)
  const before = process.cpuUsage()
  const times = []
  for (let i = 0; i < passes; i++) {
    await setTimeout(Number(values.gap))
    const own = Array.from({ length: positions }, (_, index) => states[(i + index) % states.length]!)
    times.push(await pass(contender, own))
  }
  const { user, system } = process.cpuUsage(before)
  return {
    own: (user + system) / 1000 / passes,
    head: ((await cpuMs(pid)) - headBefore) / passes,
    untilChoice: median(times.map(({ untilChoice }) => untilChoice)),
    choice: median(times.map(({ choice }) => choice)),
  }
}

async function compare(shape: Shape, file: string, folder: string): Promise<void> {
  const tensor = { path: file, offset: 0, dtype: 'bfloat16', shape: [shape.rows, shape.columns] } as const
  await writeWeights(file, shape)
  const states = await readStates(file, shape)
  await using resources = new AsyncDisposableStack()
  const contenders: Contender[] = []
  for (const tree of values.trees.split(',')) {
    const version = await load(tree)
    const options = { folder, threads: Number(values.threads) }
    const head = resources.use(await version.LmHead.create(tensor, options))
    const sampler = version.createSampler({ temperature: Number(values.temperature) }, 1)
    contenders.push({ tree, head, sampler, figures: [] })
  }
  for (let round = -1; round < Number(values.rounds); round++) {
    for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
      const figures = await measure(contender, states)
      if (round >= 0) contender.figures.push(figures) // the first round only warms up
    }
  }
  console.table(
    contenders.map(({ tree, figures }) => {
      const middle = (key: keyof Figures): number => rounded(median(figures.map((each) => each[key])))
      return {
        shape: `${shape.rows} x ${shape.columns}`,
        tree,
        'CPU of this process, ms': middle('own'),
        "CPU of the head's, ms": middle('head'),
        'until the choice, ms': middle('untilChoice'),
        'choice alone, ms': middle('choice'),
      }
    }),
  )
}

await mkdir(path.join(cacheFolder, 'bench'), { recursive: true })
const folder = await mkdtemp(path.join(cacheFolder, 'bench', 'head-cpu-'))
try {
  const machine = describeMachine()
  for (const name of values.shapes.split(',')) {
    const [rows = 0, columns = 0] = name.split('x').map(Number)
    const file = path.join(folder, 'weights.bin')
    await compare({ rows, columns }, file, folder)
    await rm(file)
  }
  console.log({ ...machine, loadAfter: describeMachine().load })
} finally {
  await rm(folder, { recursive: true, force: true })
}
