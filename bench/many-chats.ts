// node --conditions=petals-chat-source bench/many-chats.ts [--chats 1,2,4,…] [--rounds N] [--tokens N] [--model NAME] [--kinds …] [--json FILE]
//
// Several chats at once on a swarm of two spans with two servers each: this client, one that computes nothing, and the Python
// client, alternating within each round.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { cacheFolder, python } from '../swarm/paths.ts'
import { startSwarm, type Swarm } from '../swarm/swarm.ts'
import type { ChatsRequest, TimedChat } from './support/chat-lines.ts'
import { startLinePeer, type LinePeer } from './support/line-peer.ts'
import { describeMachine } from './support/machine.ts'
import { median, rounded } from './support/statistics.ts'

const kinds = ['ours', 'null', 'python'] as const
type Kind = (typeof kinds)[number]

const { values } = parseArgs({
  options: {
    chats: { type: 'string', default: '1,2,4,8,16,32' },
    rounds: { type: 'string', default: '3' },
    tokens: { type: 'string', default: '32' },
    prompt: { type: 'string', default: '16' },
    model: { type: 'string', default: 'stories15M' },
    kinds: { type: 'string', default: kinds.join() },
    json: { type: 'string' },
  },
})
const counts = values.chats.split(',').map(Number)
const newTokens = Number(values.tokens)
const promptLength = Number(values.prompt)

interface Measured {
  readonly chats: number
  readonly kind: Kind
  /** All tokens after the first of each chat, by the time from the first chat's first token to the last chat's end. */
  readonly tokensPerSecond: number
  /** The fastest chat's speed by that of the slowest. */
  readonly unfairness: number
  readonly lastFirstTokenSeconds: number
  /** The most and the fewest chats that one server of a span had at the end. */
  readonly onServers: readonly number[]
}

const program = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

function start(kind: Kind, swarm: Swarm, folder: string): Promise<LinePeer> {
  const place = [swarm.modelFolder, swarm.dhtPrefix, ...swarm.initialPeers]
  if (kind === 'python')
    return startLinePeer(python, [program('python/petals_client.py'), ...place], { HF_HUB_OFFLINE: '1' })
  const args = ['--conditions=petals-chat-source', program('many-chats-client.ts'), kind, folder, ...place]
  return startLinePeer(process.execPath, args)
}

const requestOf = (chats: number, round: number): ChatsRequest => ({
  prompts: Array.from({ length: chats }, (_, chat) =>
    Array.from(
      { length: promptLength },
      (__, i) => 200 + ((i * 131 + chat * 977 + (round + 1) * 17) % 20_000),
    ),
  ),
  newTokens,
  maxLength: promptLength + newTokens,
})

function measured(kind: Kind, chats: readonly TimedChat[]): Measured {
  const begin = Math.min(...chats.map(({ firstTokenSeconds }) => firstTokenSeconds))
  const end = Math.max(...chats.map(({ endSeconds }) => endSeconds))
  const speeds = chats.map(
    ({ endSeconds, firstTokenSeconds }) => (newTokens - 1) / (endSeconds - firstTokenSeconds),
  )
  const users = new Map<string, number>()
  for (const { servers } of chats)
    for (const server of servers) users.set(server, (users.get(server) ?? 0) + 1)
  return {
    chats: chats.length,
    kind,
    tokensPerSecond: (chats.length * (newTokens - 1)) / (end - begin),
    unfairness: Math.max(...speeds) / Math.min(...speeds),
    lastFirstTokenSeconds: Math.max(...chats.map(({ firstTokenSeconds }) => firstTokenSeconds)),
    onServers: [...users.values()].sort((a, b) => b - a),
  }
}

async function run(folder: string): Promise<readonly Measured[]> {
  await using swarm = await startSwarm({ model: values.model, replicas: 2, onProgress: console.error })
  await using resources = new AsyncDisposableStack()
  const peers: [Kind, LinePeer][] = []
  for (const kind of values.kinds.split(',') as Kind[])
    peers.push([kind, resources.use(await start(kind, swarm, folder))])
  const all: Measured[] = []
  // Round -1 is a warm-up.
  for (let round = -1; round < Number(values.rounds); round++) {
    for (const count of round < 0 ? [2] : counts) {
      const turn = (round + peers.length) % peers.length
      const answers = new Map<Kind, string>()
      for (const [kind, peer] of [...peers.slice(turn), ...peers.slice(0, turn)]) {
        const { chats } = (await peer.ask(requestOf(count, round))) as {
          readonly chats: readonly TimedChat[]
        }
        answers.set(kind, JSON.stringify(chats.map(({ ids }) => ids)))
        if (round < 0) continue
        all.push(measured(kind, chats))
        console.error(JSON.stringify(all.at(-1)))
      }
      const [ours, theirs] = [answers.get('ours'), answers.get('python')]
      if (ours !== undefined && theirs !== undefined && ours !== theirs) throw new Error('Other tokens.')
    }
  }
  return all
}

const machine = describeMachine()
await mkdir(path.join(cacheFolder, 'bench'), { recursive: true })
const folder = await mkdtemp(path.join(cacheFolder, 'bench', 'heads-'))
try {
  const all = await run(folder)
  const middle = (count: number, kind: string, figure: (each: Measured) => number): number => {
    const own = all.filter((each) => each.chats === count && each.kind === kind)
    return own.length === 0 ? NaN : rounded(median(own.map(figure)))
  }
  const rows = counts.map((count) => {
    const speed = (kind: Kind): number => middle(count, kind, ({ tokensPerSecond }) => tokensPerSecond)
    return {
      chats: count,
      ours: speed('ours'),
      null: speed('null'),
      python: speed('python'),
      'ours / null': rounded(speed('ours') / speed('null')),
      'ours / python': rounded(speed('ours') / speed('python')),
      'fastest / slowest, ours': middle(count, 'ours', ({ unfairness }) => unfairness),
      'of null': middle(count, 'null', ({ unfairness }) => unfairness),
      'of python': middle(count, 'python', ({ unfairness }) => unfairness),
      'last first token, ours': middle(count, 'ours', ({ lastFirstTokenSeconds }) => lastFirstTokenSeconds),
      'of null, s': middle(count, 'null', ({ lastFirstTokenSeconds }) => lastFirstTokenSeconds),
    }
  })
  console.log({ ...machine, loadAfter: describeMachine().load })
  console.table(rows)
  if (values.json) await writeFile(values.json, JSON.stringify({ machine, options: values, all }, null, 2))
} finally {
  await rm(folder, { recursive: true, force: true })
}
