// npm run bench:servers -- [--rounds 5] [--tokens 64] [--only 'Python,F32,Q8_0,…'] [--json FILE]
//
// Servers of blocks beside each other: Petals' Python server and `petals-chat contribute`, each with 15 blocks of SmolLM2,
// asked by the same client over libp2p, in turns. Then whole answers of swarms of two such servers, by this project's client,
// and by the Python client from Python servers. No other program should run: all share the cores.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { connectSwarm, type InferenceSession, type RemoteModel } from '@petals-chat/petals/client'
import { findModel } from '../swarm/models.ts'
import { startNativeSwarm } from '../swarm/native-swarm.ts'
import { cacheFolder } from '../swarm/paths.ts'
import { startSwarm } from '../swarm/swarm.ts'
import { describeMachine } from './support/machine.ts'
import { groupProportionalBytes } from './support/process-cpu.ts'
import { median, quartiles, rounded } from './support/statistics.ts'
import { startClient, type SwarmClient } from './support/swarm-clients.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    tokens: { type: 'string', default: '64' },
    only: { type: 'string' },
    json: { type: 'string' },
  },
})
const rounds = Number(values.rounds)
const newTokens = Number(values.tokens)
const { name: model, dhtPrefix, blocks } = findModel('SmolLM2-135M-Instruct')
const [hiddenSize, span, history, sessions] = [576, 15, 100, 8]

/** A swarm of two servers, each with half of the blocks. */
interface Contender {
  readonly name: string
  readonly startSeconds: number
  /** The process groups of its servers. */
  readonly groups: readonly number[]
  /** The first server's blocks alone. */
  readonly firstHalf: RemoteModel
  readonly clients: ReadonlyMap<string, SwarmClient>
}

const quantizations = { F32: 'none', Q8_0: 'q8_0', Q4_K: 'q4_k' } as const
type Name = keyof typeof quantizations | 'Python'
const chosen = (values.only?.split(',') ?? ['Python', 'F32', 'Q8_0']) as Name[]

const states = (tokens: number, seed: number): { shape: [number, number]; data: Float32Array } => ({
  shape: [tokens, hiddenSize],
  data: Float32Array.from({ length: tokens * hiddenSize }, (_, i) => Math.sin(i * 12.9898 + seed) * 0.5),
})

async function startContender(
  name: Name,
  folder: string,
  resources: AsyncDisposableStack,
): Promise<Contender> {
  const startedAt = performance.now()
  const options = { model, blocksPerServer: span, onProgress: console.error }
  const swarm =
    name === 'Python'
      ? await startSwarm(options)
      : await startNativeSwarm({ ...options, quantization: quantizations[name] })
  resources.use(swarm)
  const startSeconds = (performance.now() - startedAt) / 1000
  const config = { standby: 'off', audit: 'off' } as const
  const client = resources.use(await connectSwarm({ ...config, initialPeers: [...swarm.initialPeers] }))
  const clients = new Map<string, SwarmClient>()
  for (const kind of name === 'Python'
    ? (['Petals Chat', 'Python client'] as const)
    : (['Petals Chat'] as const))
    clients.set(kind, resources.use(await startClient(kind, swarm, { cacheFolder: folder })))
  return {
    name,
    startSeconds,
    groups: swarm.servers.map(({ group }) => group),
    firstHalf: client.openModel({ dhtPrefix, numBlocks: span, hiddenSize }),
    clients,
  }
}

const samples = new Map<string, Map<string, number[]>>()
function note(figure: string, name: string, value: number): void {
  const byName = samples.get(figure) ?? new Map<string, number[]>()
  byName.set(name, [...(byName.get(name) ?? []), value])
  samples.set(figure, byName)
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

async function prefilled(remote: RemoteModel, seed: number): Promise<InferenceSession> {
  const session = remote.openSession({ maxLength: 1024 })
  await session.step(states(history, seed))
  return session
}

async function measureServer({ name, firstHalf }: Contender, isCounted: boolean): Promise<void> {
  const add = (figure: string, value: number): void => {
    if (isCounted) note(figure, name, value)
  }
  {
    await using session = await prefilled(firstHalf, 1)
    const times: number[] = []
    for (let i = 0; i < 20; i++) times.push(await timed(() => session.step(states(1, i))))
    add('one token, ms', median(times))
  }
  {
    await using open = new AsyncDisposableStack()
    const all: InferenceSession[] = []
    for (let i = 0; i < sessions; i++) all.push(open.use(await prefilled(firstHalf, i)))
    const steps = 10
    const ms = await timed(() =>
      Promise.all(
        all.map(async (session) => {
          for (let i = 0; i < steps; i++) await session.step(states(1, i))
        }),
      ),
    )
    add(`${sessions} sessions, tokens/s together`, (sessions * steps * 1000) / ms)
  }
  {
    await using session = firstHalf.openSession({ maxLength: 1024 })
    await session.open({ length: 600 })
    add('prefill of 512, ms', await timed(() => session.step(states(512, 3))))
  }
}

async function measureChats({ name, clients }: Contender, round: number): Promise<void> {
  for (const [kind, client] of clients) {
    const ids = Array.from({ length: 36 }, (_, i) => 200 + ((i * 131 + (round + 1) * 17) % 20_000))
    const answer = await client.answer({ ids, newTokens, maxLength: 36 + newTokens })
    const way = kind === 'Python client' ? 'Python, Python client' : name
    if (round >= 0) note('whole chat on two servers, tokens/s', way, (newTokens - 1) / answer.decodeSeconds)
  }
}

const machine = describeMachine()
await mkdir(path.join(cacheFolder, 'bench'), { recursive: true })
const folder = await mkdtemp(path.join(cacheFolder, 'bench', 'heads-'))
try {
  await using resources = new AsyncDisposableStack()
  const contenders: Contender[] = []
  for (const name of chosen) contenders.push(await startContender(name, folder, resources))
  for (let round = -1; round < rounds; round++) {
    for (const contender of contenders) await measureServer(contender, round >= 0)
    for (const contender of contenders) await measureChats(contender, round)
    console.error(`round ${round + 1} of ${rounds}`)
  }
  for (const { name, groups, startSeconds } of contenders) {
    note('memory of a server, MB', name, (await groupProportionalBytes(groups[0]!)) / 1e6)
    note('two servers ready, s', name, startSeconds)
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}

const columns = [...new Set([...samples.values()].flatMap((byName) => [...byName.keys()]))]
const summary = (all: readonly number[] | undefined): string => {
  if (!all) return ''
  const [low, high] = quartiles(all)
  return all.length === 1
    ? String(rounded(all[0]!, 1))
    : `${rounded(median(all), 1)} (${rounded(low, 1)} … ${rounded(high, 1)})`
}
console.log({ ...machine, loadAfter: describeMachine().load, rounds, tokens: newTokens, blocks })
console.table(
  [...samples].map(([figure, byName]) => ({
    figure,
    ...Object.fromEntries(columns.map((name) => [name, summary(byName.get(name))])),
  })),
)
if (values.json)
  await writeFile(
    values.json,
    JSON.stringify({ machine, samples: [...samples].map(([k, v]) => [k, [...v]]) }, null, 2),
  )
