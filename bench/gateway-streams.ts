// npm run bench:streams -- [--rounds 20] [--streams 64,512] [--without litellm] [--json FILE]
//
// What a gateway adds to streamed answers: 64 chunks, 20 ms apart, from a scripted upstream, read directly and through
// Petals Chat, Portkey's gateway and LiteLLM's proxy, in turns, and through a relay that passes bytes on (no gateway can add
// less); and from a scripted engine within Petals Chat. Each chunk says when it was sent, on the clock that all processes of
// the machine share. Then many streams at once.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import {
  startLitellm,
  startOurs,
  startPaced,
  startPortkey,
  versions,
  type Served,
} from './streams/gateways.ts'
import { chunks, readStream, type StreamTimes } from './streams/stream-times.ts'
import { describeMachine } from './support/machine.ts'
import { groupCpuSeconds, groupResidentBytes } from './support/process-cpu.ts'
import { quantile, rounded } from './support/statistics.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    streams: { type: 'string', default: '64,512' },
    without: { type: 'string', multiple: true, default: [] },
    json: { type: 'string' },
  },
})
const rounds = Number(values.rounds)
const warmUps = 3

interface Figures {
  /** From the request to the first chunk, and from the sending of a chunk to its arrival. Milliseconds. */
  readonly first: number[]
  readonly late: number[]
  cpuSeconds: number
}

const none = (): Figures => ({ first: [], late: [], cpuSeconds: 0 })

/** One answer alone. Only the scripted engine prints when it sent the chunks. */
async function measureOne(served: Served, figures: Figures, agent: Agent): Promise<void> {
  const before = await groupCpuSeconds(served.group)
  const times = await readStream(served.target, agent)
  const sentAt = await sentTimes(served, times)
  figures.cpuSeconds += (await groupCpuSeconds(served.group)) - before
  figures.first.push(times.arrivedAt[0]! - times.requestedAt)
  figures.late.push(...times.arrivedAt.map((at, index) => at - sentAt[index]!))
}

async function sentTimes({ lines }: Served, { sentAt }: StreamTimes): Promise<readonly number[]> {
  if (sentAt.every((at) => at !== undefined)) return sentAt
  return JSON.parse(((await lines.next()) as { value: string }).value) as number[]
}

/** Many answers at once; all must end whole. */
async function measureMany(served: Served, count: number): Promise<Figures & { readonly gaps: number[] }> {
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity })
  const before = await groupCpuSeconds(served.group)
  const all = await Promise.all(Array.from({ length: count }, () => readStream(served.target, agent)))
  const cpuSeconds = (await groupCpuSeconds(served.group)) - before
  agent.destroy()
  return {
    cpuSeconds,
    first: all.map(({ requestedAt, arrivedAt }) => arrivedAt[0]! - requestedAt),
    late: all.flatMap(({ arrivedAt, sentAt }) => arrivedAt.map((at, index) => at - sentAt[index]!)),
    gaps: all.flatMap(({ arrivedAt }) => arrivedAt.slice(1).map((at, index) => at - arrivedAt[index]!)),
  }
}

const row = (figures: Figures, answers: number) => ({
  'first p50, ms': rounded(quantile(figures.first, 0.5)),
  'first p99': rounded(quantile(figures.first, 0.99)),
  'chunk p50, ms': rounded(quantile(figures.late, 0.5), 3),
  'chunk p99': rounded(quantile(figures.late, 0.99), 2),
  'CPU, µs a chunk': Math.round((figures.cpuSeconds * 1e6) / (answers * chunks)),
})

const machine = describeMachine()
const folder = await mkdtemp(path.join(tmpdir(), 'gateway-streams-'))
const one: Record<string, object> = {}
const many: Record<string, object> = {}
try {
  await using resources = new AsyncDisposableStack()
  const direct = resources.use(await startPaced('upstream'))
  const upstream = direct.target.base
  const ways = new Map<string, Served>([['direct', direct]])
  ways.set('plain relay', resources.use(await startPaced('relay', new URL(upstream).origin)))
  ways.set('Petals Chat', resources.use(await startOurs(upstream, folder)))
  if (!values.without.includes('portkey')) ways.set('Portkey', resources.use(await startPortkey(upstream)))
  if (!values.without.includes('litellm'))
    ways.set('LiteLLM', resources.use(await startLitellm(upstream, folder)))
  ways.set('Petals Chat, engine within', resources.use(await startPaced('gateway')))
  const agent = new Agent({ keepAlive: true })
  const figures = new Map([...ways.keys()].map((way) => [way, none()]))
  for (let round = -warmUps; round < rounds; round++)
    for (const [way, served] of ways) await measureOne(served, round < 0 ? none() : figures.get(way)!, agent)
  agent.destroy()
  for (const [way, served] of ways)
    one[way] = {
      ...row(figures.get(way)!, rounds),
      'memory, MiB': Math.round((await groupResidentBytes(served.group)) / 2 ** 20),
    }
  console.log({ ...machine, versions, rounds })
  console.log('One answer at a time')
  console.table(one)

  for (const count of values.streams.split(',').filter(Boolean).map(Number)) {
    for (const [way, served] of ways) {
      if (way === 'Petals Chat, engine within') continue
      const key = `${count} streams, ${way}`
      try {
        const measured = await measureMany(served, count)
        many[key] = {
          ...row(measured, count),
          'gap p99, ms': rounded(quantile(measured.gaps, 0.99), 1),
          'longest gap': rounded(Math.max(...measured.gaps), 0),
        }
      } catch (error) {
        many[key] = { failed: (error as Error).message.slice(0, 120) }
      }
      console.error(key, many[key])
    }
  }
  console.table(many)
} finally {
  await rm(folder, { recursive: true, force: true })
}
if (values.json) await writeFile(values.json, JSON.stringify({ machine, rounds, one, many }, null, 2))
