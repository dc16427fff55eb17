// node --conditions=petals-chat-source bench/swarm-decode.ts [--rounds N] [--starts N] [--tokens N] [--model NAME] [--json FILE]
//
// Measures answers of a swarm of two servers on loopback: with this client, the Python client and a client that computes
// nothing, each in its own process, alternating within each round.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { cacheFolder } from '../swarm/paths.ts'
import { startSwarm, type Swarm } from '../swarm/swarm.ts'
import type { AnswerRequest } from './support/answer-lines.ts'
import { describeMachine } from './support/machine.ts'
import { median, quartiles, rounded } from './support/statistics.ts'
import { clientKinds, startClient, type ClientKind, type SwarmClient } from './support/swarm-clients.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    starts: { type: 'string', default: '3' },
    tokens: { type: 'string', default: '128' },
    model: { type: 'string', default: 'SmolLM2-135M-Instruct' },
    json: { type: 'string' },
  },
})
const rounds = Number(values.rounds)
const newTokens = Number(values.tokens)
const decodePrompt = 36
const longPrompts = [512, 2048]

type Samples = Map<string, Map<ClientKind, number[]>>

const samples: Samples = new Map()
function note(figure: string, kind: ClientKind, value: number): void {
  const ofFigure = samples.get(figure) ?? new Map<ClientKind, number[]>()
  ofFigure.set(kind, [...(ofFigure.get(kind) ?? []), value])
  samples.set(figure, ofFigure)
}

/** Returns token ids that are the same for all clients; their meaning does not matter. */
const promptOf = (length: number, round: number): readonly number[] =>
  Array.from({ length }, (_, i) => 200 + ((i * 131 + (round + 1) * 17) % 20_000))

async function measureStart(swarm: Swarm, folder: string): Promise<void> {
  for (let i = -1; i < Number(values.starts); i++) {
    for (const kind of clientKinds) {
      await using client = await startClient(kind, swarm, { cacheFolder: folder })
      // Our first start also makes the 8-bit copy of the head, once for each model.
      note(i < 0 ? 'very first start, s' : 'start to ready, s', kind, client.readySeconds)
    }
  }
}

/** Checks that both real clients choose the same tokens. */
function requireEqual(answers: ReadonlyMap<ClientKind, readonly number[]>): void {
  const [ours, theirs] = [answers.get('Petals Chat')!, answers.get('Python client')!]
  if (ours.join() !== theirs.join()) throw new Error(`Other tokens: ${ours.join()} and ${theirs.join()}`)
}

/** The other clients can't prewarm sessions: their only figure is used. */
async function notePrewarmed(client: SwarmClient, request: AnswerRequest, cold: number): Promise<void> {
  const isOurs = client.kind === 'Petals Chat'
  const prewarmed = isOurs && (await client.answer({ ...request, newTokens: 1, prewarms: true }))
  const seconds = prewarmed ? prewarmed.firstTokenSeconds : cold
  note(`first token of ${request.ids.length}, prewarmed, s`, client.kind, seconds)
}

async function measureRound(clients: readonly SwarmClient[], round: number): Promise<void> {
  // The order changes in each round; round -1 is a warm-up.
  const turn = (round + clients.length) % clients.length
  const order = [...clients.slice(turn), ...clients.slice(0, turn)]
  for (const length of [decodePrompt, ...longPrompts]) {
    const count = length === decodePrompt ? newTokens : 2
    const answers = new Map<ClientKind, readonly number[]>()
    for (const client of order) {
      const request = { ids: promptOf(length, round), newTokens: count, maxLength: length + count }
      const { ids, firstTokenSeconds, decodeSeconds, cpuSeconds } = await client.answer(request)
      answers.set(client.kind, ids)
      if (round < 0) continue
      note(`first token of ${length}, s`, client.kind, firstTokenSeconds)
      await notePrewarmed(client, request, firstTokenSeconds)
      if (length !== decodePrompt) continue
      note('decode, tokens/s', client.kind, (count - 1) / decodeSeconds)
      note('CPU, s/token', client.kind, cpuSeconds / count)
    }
    requireEqual(answers)
  }
}

async function run(folder: string): Promise<void> {
  await using swarm = await startSwarm({ model: values.model, onProgress: console.error })
  await measureStart(swarm, folder)
  await using resources = new AsyncDisposableStack()
  const clients: SwarmClient[] = []
  for (const kind of clientKinds) {
    clients.push(resources.use(await startClient(kind, swarm, { cacheFolder: folder })))
  }
  for (let round = -1; round < rounds; round++) {
    await measureRound(clients, round)
    console.error(`round ${round + 1} of ${rounds}`)
  }
  for (const client of clients) note('memory, MB', client.kind, (await client.residentBytes()) / 1e6)
}

const machine = describeMachine()
await mkdir(path.join(cacheFolder, 'bench'), { recursive: true })
const folder = await mkdtemp(path.join(cacheFolder, 'bench', 'heads-'))
try {
  await run(folder)
} finally {
  await rm(folder, { recursive: true, force: true })
}
interface Summary {
  readonly median: number
  readonly quartiles: readonly [number, number]
}

const summaryOf = (all: readonly number[]): Summary => {
  const [low, high] = quartiles(all)
  return { median: rounded(median(all), 3), quartiles: [rounded(low, 3), rounded(high, 3)] }
}

const report = [...samples].map(([figure, byKind]) => ({
  figure,
  clients: clientKinds.map((kind) => ({ kind, ...summaryOf(byKind.get(kind)!) })),
}))

const rows = report.map(({ figure, clients }) => {
  const [ours, python, nothing] = clients.map(({ median: middle }) => middle) as [number, number, number]
  return {
    figure,
    ...Object.fromEntries(
      clients.map(({ kind, median: middle, quartiles: [low, high] }) => [
        kind,
        `${middle} (${low} … ${high})`,
      ]),
    ),
    'ours / Python': rounded(ours / python, 3),
    'ours / null': rounded(ours / nothing, 3),
  }
})
console.log({ ...machine, loadAfter: describeMachine().load, rounds, tokens: newTokens })
console.table(rows)
if (values.json) await writeFile(values.json, JSON.stringify({ machine, rounds, report }, null, 2))
