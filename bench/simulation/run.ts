import type { Span } from '../../packages/petals/src/blocks/spans.ts'
import {
  ConnectionLostError,
  DeadlineExceededError,
  PeerUnreachableError,
  RpcError,
} from '../../packages/petals/src/errors.ts'
import type { PeerId } from '../../packages/petals/src/p2p/peer-id.ts'
import { pushGain } from '../../packages/petals/src/inference/push-plan.ts'
import { Random } from './random.ts'
import { Client, type RuleName } from './rules.ts'
import { numBlocks, roundTripSeconds, World, type Server, type WorldOptions } from './world.ts'

export interface RunOptions extends WorldOptions {
  readonly rule: RuleName
  readonly users: number
  readonly clients: number
  /** The share of the swarm's capacity that the users would take if they never waited. */
  readonly load: number
  readonly seconds: number
  /** What happens before this time is not counted. */
  readonly warmUpSeconds: number
}

export interface Answer {
  readonly tokens: number
  /** From the question to the first token. */
  readonly waitSeconds: number
  readonly decodeSeconds: number
  readonly failures: number
}

export interface RunResult {
  readonly tokensPerSecond: number
  readonly capacity: number
  readonly answers: readonly Answer[]
  readonly lost: number
  readonly meanActive: number
  /** Of each search that the clients made, milliseconds of this machine. Empty for rules that are not ours. */
  readonly routeMs: readonly number[]
}

const meanTokens = 200
/** A prompt's token takes a server this share of the time of a generated one. */
const prefillShare = 0.035
/** Time of the program and of serialization for each hop and token. */
const hopSeconds = 0.004
const maxAttempts = 12

interface Hop {
  readonly server: Server
  readonly span: Span
  readonly blocks: number
  share: number
}

class Session {
  readonly id: string
  readonly client: Client
  readonly startedAt: number
  readonly promptTokens: number
  readonly tokens: number
  hops: Hop[] = []
  networkSeconds = 0
  done = 0
  /** Work that must be done before the next token, in tokens. */
  behind: number
  /** Seconds for which it waits before it goes on. */
  pause = 0
  firstTokenAt: number | undefined
  failures = 0

  constructor(id: string, client: Client, startedAt: number, promptTokens: number, tokens: number) {
    this.id = id
    this.client = client
    this.startedAt = startedAt
    this.promptTokens = promptTokens
    this.tokens = tokens
    this.behind = promptTokens * prefillShare
  }

  get length(): number {
    return this.promptTokens + this.tokens
  }
}

/** Runs one swarm with clients of one rule, in steps of one second. The same options give the same result. */
export async function simulate(options: RunOptions): Promise<RunResult> {
  return await new Run(options).run()
}

class Run {
  readonly #options: RunOptions
  readonly #world: World
  readonly #random: Random
  readonly #clients: readonly Client[]
  readonly #sessions = new Set<Session>()
  readonly #answers: Answer[] = []
  readonly #routeMs: number[] = []
  readonly #thinkSeconds: number
  #nextId = 0
  #tokens = 0
  #lost = 0
  #activeSum = 0

  constructor(options: RunOptions) {
    this.#options = options
    this.#world = new World(options)
    this.#random = new Random(options.seed + 1)
    this.#clients = Array.from(
      { length: options.clients },
      (_, i) => new Client(this.#world, options.rule, options.seed * 1000 + i),
    )
    this.#thinkSeconds = (options.users * meanTokens) / (options.load * this.#world.capacity)
  }

  async run(): Promise<RunResult> {
    const { seconds, warmUpSeconds } = this.#options
    for (const client of this.#clients) await client.rule.update()
    for (let time = 1; time <= seconds; time++) {
      this.#world.advance(time)
      for (const [i, client] of this.#clients.entries())
        if ((time + Math.floor((i * 60) / this.#clients.length)) % 60 === 0) await client.rule.update()
      await this.#arrive(time)
      await this.#work(time)
      if (time > warmUpSeconds) this.#activeSum += this.#sessions.size
    }
    const counted = seconds - warmUpSeconds
    return {
      tokensPerSecond: this.#tokens / counted,
      capacity: this.#world.capacity,
      answers: this.#answers,
      lost: this.#lost,
      meanActive: this.#activeSum / counted,
      routeMs: this.#routeMs,
    }
  }

  async #arrive(time: number): Promise<void> {
    const idle = Math.max(0, this.#options.users - this.#sessions.size)
    const count = Math.min(idle, this.#random.poisson(idle / this.#thinkSeconds))
    for (let i = 0; i < count; i++) {
      const tokens = Math.min(1500, Math.ceil(this.#random.logNormal(meanTokens * 0.7, 0.85)))
      const prompt = Math.min(3000, Math.ceil(this.#random.logNormal(200, 1)))
      const session = new Session(`${this.#nextId++}`, this.#random.pick(this.#clients), time, prompt, tokens)
      this.#sessions.add(session)
      await this.#open(session, 0, numBlocks, 0)
    }
  }

  /** Finds servers for the blocks, which replace `removed` hops from `at` on. */
  async #open(session: Session, start: number, end: number, at: number, removed = 0): Promise<void> {
    const avoid = new Map<PeerId, number>()
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const startedAt = performance.now()
      const route = await session.client.rule.route({ start, end }, session.length, avoid)
      this.#routeMs.push(performance.now() - startedAt)
      if (!route) break
      const failed = this.#tryServers(session, route)
      if (!failed) {
        const hops = route.map((span): Hop => this.#enter(session, span))
        session.hops.splice(at, removed, ...hops)
        session.networkSeconds = this.#networkSeconds(session)
        return
      }
      session.failures++
      avoid.set(failed, (avoid.get(failed) ?? 0) + 1)
    }
    this.#lose(session)
  }

  /** Opens sessions on the servers of a route; returns the first one that refuses. */
  #tryServers(session: Session, route: readonly Span[]): PeerId | undefined {
    let slowest = 0
    for (const span of route) {
      const server = this.#world.servers.get(span.peer)
      slowest = Math.max(slowest, server ? 2 * roundTripSeconds(session.client.place, server.place) : 0)
      const cause = this.#refusal(server, span, session)
      if (!cause) continue
      session.pause += cause.seconds
      session.client.rule.failed(span.peer, cause.error)
      return span.peer
    }
    session.pause += slowest
    return undefined
  }

  #refusal(
    server: Server | undefined,
    span: Span,
    session: Session,
  ): { seconds: number; error: Error } | undefined {
    if (!server) return { seconds: 0.5, error: new ConnectionLostError('gone') }
    if (server.honesty === 'ghost') return { seconds: 5, error: new PeerUnreachableError('gone') }
    if (server.cacheUsed + cacheOf(session, span) <= server.cacheSize) return undefined
    const error = new RpcError('rpc_inference', 'Could not allocate 1 bytes immediately: out of memory')
    return { seconds: roundTripSeconds(session.client.place, server.place), error }
  }

  #enter(session: Session, span: Span): Hop {
    const server = this.#world.servers.get(span.peer)!
    server.cacheUsed += cacheOf(session, span)
    session.client.rule.opened(span, session.id, session.length)
    return { server, span, blocks: span.end - span.start, share: 0 }
  }

  #leave(session: Session, { server, span }: Hop): void {
    server.cacheUsed -= cacheOf(session, span)
    session.client.rule.ended({ peer: span.peer, session: session.id })
  }

  #networkSeconds({ client, hops }: Session): number {
    const rtts = new Map(
      hops.map(({ span, server }) => [span.peer, roundTripSeconds(client.place, server.place)]),
    )
    const relayed = [...rtts.values()].reduce((sum, rtt) => sum + rtt, 0)
    const isPython = this.#options.rule.startsWith('Python')
    const gain = isPython
      ? undefined
      : pushGain(
          hops.map(({ span }) => span),
          (peer) => rtts.get(peer),
        )
    return (gain ? gain.pushedMs / 1000 : relayed) + hops.length * hopSeconds
  }

  #lose(session: Session): void {
    for (const hop of session.hops) this.#leave(session, hop)
    this.#sessions.delete(session)
    if (this.#world.time > this.#options.warmUpSeconds) this.#lost++
  }

  /** One second: servers share their time among the sessions (approximate mean value analysis), sessions go on. */
  async #work(time: number): Promise<void> {
    const failed: Session[] = []
    for (const session of this.#sessions) {
      if (session.hops.some(({ server }) => !server.isAlive || server.honesty === 'mute'))
        failed.push(session)
      else this.#advance(session, time)
    }
    for (const server of this.#world.servers.values()) {
      server.queue = server.queue * 0.5 + server.nextQueue * 0.5
      server.nextQueue = 0
    }
    for (const session of failed) await this.#replaceFailed(session)
  }

  #advance(session: Session, time: number): void {
    const left = Math.max(0, 1 - session.pause)
    session.pause = Math.max(0, session.pause - 1)
    let tokenSeconds = session.networkSeconds
    const stretched = session.hops.map(({ server, blocks, share }) => {
      const seconds = (blocks / server.rps) * (1 + Math.max(0, server.queue - share))
      tokenSeconds += seconds
      return seconds
    })
    session.hops.forEach((hop, i) => {
      hop.share = hop.share * 0.5 + (stretched[i]! / tokenSeconds) * left * 0.5
      hop.server.nextQueue += (stretched[i]! / tokenSeconds) * left
      const { peer } = hop.span
      const network = roundTripSeconds(session.client.place, hop.server.place) + hopSeconds
      if (left > 0)
        session.client.rule.stepped({
          peer,
          session: session.id,
          blocks: hop.blocks,
          ms: 1000 * (stretched[i]! + network),
          tokenMs: 1000 * tokenSeconds,
        })
    })
    this.#progress(session, left / tokenSeconds, time)
  }

  #progress(session: Session, work: number, time: number): void {
    const ofBehind = Math.min(work, session.behind)
    session.behind -= ofBehind
    const tokens = Math.min(work - ofBehind, session.tokens - session.done)
    session.done += tokens
    const counts = time > this.#options.warmUpSeconds
    if (counts) this.#tokens += tokens
    if (session.behind <= 0) session.firstTokenAt ??= time - (work > 0 ? (work - ofBehind) / work : 0)
    if (session.done < session.tokens) return
    this.#sessions.delete(session)
    for (const hop of session.hops) this.#leave(session, hop)
    const { startedAt, firstTokenAt, failures } = session
    if (!counts) return
    const decodeSeconds = Math.max(time - firstTokenAt!, session.tokens / Math.max(work, 1e-9))
    this.#answers.push({
      tokens: session.tokens,
      waitSeconds: firstTokenAt! - startedAt,
      decodeSeconds,
      failures,
    })
  }

  async #replaceFailed(session: Session): Promise<void> {
    const index = session.hops.findIndex(({ server }) => !server.isAlive || server.honesty === 'mute')
    const hop = session.hops[index]!
    const isMute = hop.server.isAlive
    session.client.rule.failed(
      hop.span.peer,
      isMute ? new DeadlineExceededError('A step', 8000) : new ConnectionLostError('gone'),
    )
    session.failures++
    session.pause += isMute ? 8 : 0.5
    session.behind += (session.promptTokens + session.done) * prefillShare * (hop.blocks / numBlocks)
    this.#leave(session, hop)
    session.hops.splice(index, 1)
    await this.#open(session, hop.span.start, hop.span.end, index)
  }
}

const cacheOf = (session: Session, { start, end }: Span): number => 2 * session.length * (end - start)
