import { setTimeout as delay } from 'node:timers/promises'
import { usualTimes } from '../engine/cache-admission.ts'
import { HonestSession } from './honest-session.ts'
import { badTensors, HostilePeer, misuses, wrongPositions, type Misuse } from './hostile-peer.ts'
import { Stepping } from './stepping.ts'
import { ServerProcess, type ServerMemory, type ServerReport, type ServerSettings } from './server-process.ts'
import { SessionClient } from './session-client.ts'

export interface HostileRunOptions {
  readonly settings: ServerSettings
  /** Hostile peers, and the sessions that all of them open. */
  readonly peers: number
  readonly sessions: number
  /** Called after each kind of attack. */
  readonly onPhase?: ((phase: HostilePhase) => void) | undefined
}

/** The state of the server after an attack, which goes on. Memory is in MiB. */
export interface HostilePhase {
  readonly name: string
  readonly seconds: number
  readonly memory: ServerMemory
  readonly liveMiB: number
  readonly load: ServerReport['load']
  /** Steps of the honest session meanwhile, and the longest one in milliseconds. */
  readonly honestSteps: number
  readonly honestWorstMs: number
}

export interface HostileReport {
  /** Before the first attack; the most at any time; after the peers have left. */
  readonly calm: ServerMemory
  readonly most: ServerMemory
  readonly after: ServerMemory
  /** The same for what the server's garbage collections have left. */
  readonly live: { readonly calm: number; readonly most: number; readonly after: number }
  /** Requests with bad tensors that were answered, for each peer; wrong positions that were answered. */
  readonly answeredTensors: readonly number[]
  readonly answeredPositions: number
  /** Sessions that were opened and answered: of those that stay open and those that are ended. */
  readonly answeredSessions: number
  readonly honestSteps: number
  /** After the peers have left, and the honest session, too. */
  readonly load: ServerReport['load']
}

/** How long a new session of an honest client may wait for room, while the peers keep theirs. */
const waitSeconds = 60
/** An attacker waits for its stream no longer than this. */
const patienceMs = 5000
const together = 20
const sampleMs = 250

/** Attacks a server of its own by some peers, while an honest session goes on. @throws Error if that gets no or a wrong output */
export async function runHostilePeers(options: HostileRunOptions): Promise<HostileReport> {
  await using server = await ServerProcess.start(options.settings)
  const { addresses } = await server.report()
  await using client = await SessionClient.connect(addresses)
  const honest = await HonestSession.open(client, usualTimes.idleMs)
  await using resources = new AsyncDisposableStack()
  const peers: HostilePeer[] = []
  for (let index = 0; index < options.peers; index++)
    peers.push(resources.use(await HostilePeer.connect(addresses)))
  const { liveMiB: calmLive } = await server.report()
  const calm = await server.memory()
  const sampler = new MemorySampler(server)
  const stepping = new Stepping(honest)
  const run = new HostileRun(server, honest, options.onPhase)

  let answeredTensors: number[] = []
  await run.phase('bad tensors', async () => {
    answeredTensors = await Promise.all(peers.map((peer) => peer.sendFirst(badTensors())))
  })
  let answeredPositions = 0
  await run.phase('wrong positions', async () => {
    for (const step of wrongPositions()) {
      const answers = await Promise.all(peers.map((peer) => peer.sendSecond(step)))
      answeredPositions += answers.filter((isAnswered) => isAnswered).length
    }
  })
  await run.phase('endless messages', () => each(peers, 200, (peer) => peer.sendEndless(1000)))
  await run.phase('endless messages, 4 MB', () => each(peers, 60, (peer) => peer.sendEndless(4_000_000)))
  await run.phase('frames of one byte', () => each(peers, 3, (peer) => peer.sendBytesOneByOne(5000)))
  // Their shares are used up: as long as these messages are there, no session of theirs begins.
  for (const peer of peers) peer.drop()
  await settled(server, ({ streams }) => streams <= 2)
  for (const misuse of misuses)
    await run.phase(`sessions: ${misuse}`, () => openSessions(peers, misuse, options))
  await run.phase('a new honest session', () => honest.openAnother(client, waitSeconds))
  await stepping.end()
  const most = await sampler.end()
  await resources.disposeAsync()
  await client[Symbol.asyncDispose]()
  const { load, liveMiB } = await settled(
    server,
    ({ connections, streams }) => connections === 0 && streams === 0,
  )
  const after = await server.memory()
  const live = { calm: calmLive, most: run.mostLive, after: liveMiB }
  const answeredSessions = peers.reduce((sum, { answered }) => sum + answered, 0)
  const honestSteps = honest.steps
  return {
    ...{ calm, most, after, live, load, honestSteps },
    ...{ answeredTensors, answeredPositions, answeredSessions },
  }
}

const openSessions = (
  peers: readonly HostilePeer[],
  misuse: Misuse,
  { sessions }: HostileRunOptions,
): Promise<void> =>
  each(peers, Math.ceil(sessions / misuses.length / peers.length), (peer) => peer.openSession(misuse))

/** Has each peer do something so many times, some at once. */
async function each(
  peers: readonly HostilePeer[],
  times: number,
  act: (peer: HostilePeer) => Promise<void>,
): Promise<void> {
  await Promise.all(
    peers.map(async (peer) => {
      for (let done = 0; done < times; done += together) {
        const acts = Array.from({ length: Math.min(together, times - done) }, () => act(peer))
        await Promise.race([Promise.all(acts), delay(patienceMs)])
      }
    }),
  )
}

/** Waits until the server has noticed what peers have ended. */
async function settled(
  server: ServerProcess,
  isSettled: (load: ServerReport['load']) => boolean,
): Promise<ServerReport> {
  const endsAt = performance.now() + 60_000
  for (;;) {
    const report = await server.report()
    if (isSettled(report.load) || performance.now() > endsAt) return report
    await delay(sampleMs)
  }
}

class HostileRun {
  readonly #server: ServerProcess
  readonly #honest: HonestSession
  readonly #onPhase: HostileRunOptions['onPhase']
  mostLive = 0

  constructor(server: ServerProcess, honest: HonestSession, onPhase: HostileRunOptions['onPhase']) {
    this.#server = server
    this.#honest = honest
    this.#onPhase = onPhase
  }

  async phase(name: string, attack: () => Promise<void>): Promise<void> {
    const honest = this.#honest
    const before = honest.steps
    honest.worstMs = 0
    const startedAt = performance.now()
    await attack()
    const seconds = (performance.now() - startedAt) / 1000
    const { load, liveMiB } = await this.#server.report()
    this.mostLive = Math.max(this.mostLive, liveMiB)
    const memory = await this.#server.memory()
    const honestSteps = honest.steps - before
    this.#onPhase?.({ name, seconds, memory, liveMiB, load, honestSteps, honestWorstMs: honest.worstMs })
  }
}

/** The most memory that the processes have had. */
class MemorySampler {
  readonly #over = new AbortController()
  readonly #run: Promise<ServerMemory>

  constructor(server: ServerProcess) {
    this.#run = this.#sample(server)
  }

  async end(): Promise<ServerMemory> {
    this.#over.abort()
    return await this.#run
  }

  async #sample(server: ServerProcess): Promise<ServerMemory> {
    let most = { server: 0, engine: 0 }
    while (!this.#over.signal.aborted) {
      const now = await server.memory()
      most = { server: Math.max(most.server, now.server), engine: Math.max(most.engine, now.engine) }
      await delay(sampleMs)
    }
    return most
  }
}
