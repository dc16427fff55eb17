// node --conditions=petals-chat-source bench/standbys.ts [--rounds N] [--tokens N] [--rtt MS] [--model NAME] [--json FILE]
//
// What standbys take from the answers that they follow: the same answers with `swarm.standby: auto` and off, alternating, on two
// spans with two servers each. CPU time is that of all servers and of the client. On loopback all of them share the cores, so that
// the work of a standby delays its answer by as much as it can; with --rtt, a relay in front of each server makes a line.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { findModel } from '../swarm/models.ts'
import { cacheFolder } from '../swarm/paths.ts'
import { startSwarm, type Swarm } from '../swarm/swarm.ts'
import { describeMachine } from './support/machine.ts'
import { groupCpuSeconds } from './support/process-cpu.ts'
import { median, quartiles, rounded } from './support/statistics.ts'
import { startClient, type SwarmClient } from './support/swarm-clients.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    tokens: { type: 'string', default: '208' },
    rtt: { type: 'string', default: '0' },
    model: { type: 'string', default: 'stories15M' },
    json: { type: 'string' },
  },
})
const rounds = Number(values.rounds)
const newTokens = Number(values.tokens)
const rttMs = Number(values.rtt)

const ways = ['off', 'auto'] as const
type Way = (typeof ways)[number]

const figures = ['ms a token', 'CPU of the servers, ms a token', 'CPU of the client, ms a token'] as const
type Figure = (typeof figures)[number]
type Sample = Readonly<Record<Figure, number>>

/** Token ids that are other ones in each round: their meaning does not matter. */
const promptOf = (round: number): readonly number[] =>
  Array.from({ length: 32 }, (_, i) => 500 + ((i * 131 + (round + 1) * 17) % 20_000))

async function serversCpuSeconds({ servers }: Swarm): Promise<number> {
  const each = await Promise.all(servers.map(({ group }) => groupCpuSeconds(group)))
  return each.reduce((sum, seconds) => sum + seconds, 0)
}

interface Measured {
  readonly sample: Sample
  readonly ids: readonly number[]
}

async function measure(way: Way, client: SwarmClient, swarm: Swarm, round: number): Promise<Measured> {
  const ids = promptOf(round)
  const before = await serversCpuSeconds(swarm)
  const answer = await client.answer({ ids, newTokens, maxLength: ids.length + newTokens })
  const seconds = (await serversCpuSeconds(swarm)) - before
  const positions = answer.standbys ?? []
  const hasFollowed = positions.length > 0 && positions.every((position) => (position ?? 0) > newTokens / 2)
  if (round >= 0 && hasFollowed !== (way === 'auto'))
    throw new Error(`standby: ${way}, but standbys have followed to ${positions.join(' and ')}.`)
  const sample = {
    'ms a token': (answer.decodeSeconds * 1000) / (newTokens - 1),
    'CPU of the servers, ms a token': (seconds * 1000) / newTokens,
    'CPU of the client, ms a token': (answer.cpuSeconds * 1000) / newTokens,
  }
  return { sample, ids: answer.ids }
}

async function run(folder: string): Promise<ReadonlyMap<Way, readonly Sample[]>> {
  const { blocks } = findModel(values.model)
  await using swarm = await startSwarm({
    model: values.model,
    blocksPerServer: Math.ceil(blocks / 2),
    replicas: 2,
    ...(rttMs > 0 ? { relay: { latencyMs: rttMs / 2 } } : {}),
    onProgress: console.error,
  })
  await using resources = new AsyncDisposableStack()
  const clients = new Map<Way, SwarmClient>()
  for (const way of ways) {
    const options = { cacheFolder: folder, standby: way }
    clients.set(way, resources.use(await startClient('Petals Chat', swarm, options)))
  }
  const samples = new Map<Way, Sample[]>(ways.map((way) => [way, []]))
  // Round -1 warms up.
  for (let round = -1; round < rounds; round++) {
    const answers = new Set<string>()
    for (const way of round % 2 === 0 ? ways : ways.toReversed()) {
      const { sample, ids } = await measure(way, clients.get(way)!, swarm, round)
      answers.add(ids.join())
      if (round >= 0) samples.get(way)!.push(sample)
    }
    if (answers.size > 1) throw new Error('The answers with standbys and without have other tokens.')
    console.error(`round ${round + 1} of ${rounds}`)
  }
  return samples
}

const machine = describeMachine()
await mkdir(path.join(cacheFolder, 'bench'), { recursive: true })
const folder = await mkdtemp(path.join(cacheFolder, 'bench', 'heads-'))
let samples: ReadonlyMap<Way, readonly Sample[]>
try {
  samples = await run(folder)
} finally {
  await rm(folder, { recursive: true, force: true })
}

const of = (way: Way, figure: Figure): readonly number[] => samples.get(way)!.map((each) => each[figure])
const cell = (all: readonly number[], digits: number): string =>
  `${rounded(median(all), digits)} (${quartiles(all)
    .map((value) => rounded(value, digits))
    .join(' … ')})`
const rows = figures.map((figure) => ({
  figure,
  off: cell(of('off', figure), 1),
  auto: cell(of('auto', figure), 1),
  // Both were measured one after the other.
  'auto / off': cell(
    of('auto', figure).map((value, round) => value / of('off', figure)[round]!),
    3,
  ),
}))
console.log({ ...machine, loadAfter: describeMachine().load, rounds, tokens: newTokens, rttMs })
console.table(rows)
if (values.json)
  await writeFile(values.json, JSON.stringify({ machine, rounds, rttMs, samples: [...samples] }, null, 2))
