// node --conditions=petals-chat-source bench/swarm-links.ts [--servers 2,3,4] [--rtts 50,100] [--rounds N] [--tokens N] [--model NAME] [--json FILE]
//
// Measures decoding over links with a round trip of R: relayed by this client (n round trips per token), pushed from server to
// server ((n + 1) / 2), and by the Python client, alternating. Every link is a TCP relay in front of a server.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { findModel } from '../swarm/models.ts'
import { cacheFolder } from '../swarm/paths.ts'
import { startSwarm, type Swarm } from '../swarm/swarm.ts'
import { describeMachine } from './support/machine.ts'
import { median, rounded } from './support/statistics.ts'
import { startClient, type SwarmClient } from './support/swarm-clients.ts'

const { values } = parseArgs({
  options: {
    servers: { type: 'string', default: '2,3,4' },
    rtts: { type: 'string', default: '50,100' },
    rounds: { type: 'string', default: '5' },
    tokens: { type: 'string', default: '24' },
    model: { type: 'string', default: 'SmolLM2-135M-Instruct' },
    json: { type: 'string' },
  },
})
const numbers = (text: string): readonly number[] => text.split(',').map(Number)
const rounds = Number(values.rounds)
const newTokens = Number(values.tokens)
const prompt = Array.from({ length: 36 }, (_, i) => 500 + i)

const ways = ['relayed', 'server to server', 'auto', 'Python client'] as const
type Way = (typeof ways)[number]
const pushOf = { relayed: 'never', 'server to server': 'always', auto: 'auto' } as const

interface Row {
  readonly servers: number
  readonly rttMs: number
  /** Median milliseconds per token. */
  readonly tokenMs: Readonly<Record<Way, number>>
  /** The computing time of the servers, measured on links without delay. */
  readonly computeMs: number
  /** (n + 1) / 2 · R + compute. */
  readonly idealMs: number
}

async function tokenTimes(
  clients: ReadonlyMap<Way, SwarmClient>,
  count: number,
): Promise<Record<Way, number>> {
  const times = new Map<Way, number[]>()
  for (let round = -1; round < count; round++) {
    const answers = new Set<string>()
    for (const [way, client] of clients) {
      const { ids, decodeSeconds } = await client.answer({ ids: prompt, newTokens, maxLength: 128 })
      answers.add(ids.join())
      if (round >= 0) times.set(way, [...(times.get(way) ?? []), (decodeSeconds * 1000) / (newTokens - 1)])
    }
    if (answers.size !== 1) throw new Error(`The clients chose different tokens: ${[...answers].join(' | ')}`)
  }
  return Object.fromEntries([...times].map(([way, all]) => [way, median(all)])) as Record<Way, number>
}

function setRoundTrip(swarm: Swarm, rttMs: number): void {
  for (const server of swarm.servers) swarm.relayOf(server)!.set({ latencyMs: rttMs / 2 })
}

async function measureSwarm(servers: number, folder: string): Promise<readonly Row[]> {
  const { blocks } = findModel(values.model)
  const blocksPerServer = Math.ceil(blocks / servers)
  await using swarm = await startSwarm({
    model: values.model,
    blocksPerServer,
    relay: {},
    // 'auto' reads the round trips that servers announce to each other; by default they measure them once a minute.
    extra: ['--update_period', '10'],
    onProgress: console.error,
  })
  await using python = await startClient('Python client', swarm, { cacheFolder: folder })
  const rows: Row[] = []
  let computeMs = 0
  for (const rttMs of [0, ...numbers(values.rtts)]) {
    setRoundTrip(swarm, rttMs)
    await using resources = new AsyncDisposableStack()
    const clients = new Map<Way, SwarmClient>()
    // Restarted, so that their measurements of the links are current.
    for (const way of ways) {
      if (way === 'Python client') clients.set(way, python)
      else if (rttMs > 0 || way === 'relayed') {
        const options = { cacheFolder: folder, push: pushOf[way] }
        clients.set(way, resources.use(await startClient('Petals Chat', swarm, options)))
      }
    }
    const tokenMs = await tokenTimes(clients, rounds)
    if (rttMs === 0) computeMs = tokenMs.relayed
    else {
      const idealMs = ((servers + 1) / 2) * rttMs + computeMs
      rows.push({ servers, rttMs, tokenMs, computeMs, idealMs })
      console.error(JSON.stringify(rows.at(-1)))
    }
  }
  return rows
}

const machine = describeMachine()
await mkdir(path.join(cacheFolder, 'bench'), { recursive: true })
const folder = await mkdtemp(path.join(cacheFolder, 'bench', 'heads-'))
const report: Row[] = []
try {
  for (const servers of numbers(values.servers)) report.push(...(await measureSwarm(servers, folder)))
} finally {
  await rm(folder, { recursive: true, force: true })
}
console.log({ ...machine, loadAfter: describeMachine().load, rounds, tokens: newTokens })
console.table(
  report.map(({ servers, rttMs, tokenMs, computeMs, idealMs }) => ({
    servers,
    'R, ms': rttMs,
    'compute, ms': rounded(computeMs, 1),
    ...Object.fromEntries(ways.map((way) => [`${way}, ms/token`, rounded(tokenMs[way], 1)])),
    '(n+1)/2·R + compute': rounded(idealMs, 1),
    'pushed / ideal': rounded(tokenMs['server to server'] / idealMs, 3),
    'Python / pushed': rounded(tokenMs['Python client'] / tokenMs['server to server'], 2),
  })),
)
if (values.json) await writeFile(values.json, JSON.stringify({ machine, rounds, report }, null, 2))
