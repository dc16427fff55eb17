import { setTimeout as delay } from 'node:timers/promises'
import { type Grammar, greedy, type Session, type SwarmWait, type TokenId } from '@petals-chat/engine'
import { seededBits } from '../../packages/petals/src/sampling/random.ts'
import type { SwarmServer } from '../../swarm/server.ts'
import type { SwarmOptions } from '../../swarm/swarm.ts'
import { addNativeServer } from '../interop/support/native-server.ts'
import { startSwarmEngine, type SwarmEngine } from '../interop/support/swarm-engine.ts'

/** How long the swarm may take to be whole again after a server was killed. */
const restoreTimeoutMs = 120_000

/** Something that happens while an answer is being made. */
export interface Disturbance {
  /** Tokens of the answer before it; 0: as soon as servers were chosen, before the first token. */
  readonly afterTokens: number
  /** Waits so much longer, so that it happens in the midst of a step, too. */
  readonly delayMs: number
  readonly act: (session: Session) => void
}

export interface DisturbedAnswer {
  readonly ids: readonly TokenId[]
  /** Longest wait for a token from the first disturbance on, as a reader sees it: whole steps, prefill included. */
  readonly pauseMs: number
  /** Longest wait between two tokens. */
  readonly longestMs: number
  /** Servers that the session left. */
  readonly failovers: number
  /** The disturbance came before the answer was complete. */
  readonly disturbed: boolean
  /** What the session said that it waited for; undefined where it went on. */
  readonly waits: readonly (SwarmWait | undefined)[]
}

export interface Prompt {
  readonly tokens: readonly TokenId[]
  /** At most so many; fewer where a grammar ends the answer. */
  readonly newTokens: number
  /** What the answer has to fit. */
  readonly grammar?: Grammar | undefined
  /** The undisturbed answer, and how long its first token took. */
  readonly expected: readonly TokenId[]
  readonly firstTokenMs: number
}

export interface FaultHarnessOptions extends SwarmOptions {
  readonly replicas: number
  /** Servers of each span that an answer begins with, at least (default: all). Fewer, and others start meanwhile. */
  readonly required?: number
  readonly seed: number
  /** What is started in place of a killed server: the same (default), or one of the other kind, with or without Python. */
  readonly replaceBy?: 'the same' | 'the other kind'
}

/** Asks the product's engine on a real swarm, does harm to servers meanwhile, and repairs the swarm afterwards. */
export class FaultHarness implements AsyncDisposable {
  readonly subject: SwarmEngine
  readonly #random: () => number
  readonly #required: number
  readonly #replace: (server: SwarmServer) => Promise<unknown>
  readonly #lost = new Set<SwarmServer>()
  #repairs: Promise<unknown> = Promise.resolve()

  private constructor(
    subject: SwarmEngine,
    { model, required, replicas, replaceBy, seed }: FaultHarnessOptions,
  ) {
    const { swarm } = subject
    this.subject = subject
    this.#required = required ?? replicas
    this.#random = seededBits(seed)
    const native = new Set<SwarmServer>()
    this.#replace = async (server) => {
      const { start, end } = server
      if (replaceBy !== 'the other kind' || native.has(server)) await swarm.add({ start, end })
      else native.add(await addNativeServer(swarm, model, { start, end }))
    }
  }

  /** Two spans. Their servers are looked up often, and prompts cut into many parts. */
  static async start(options: FaultHarnessOptions): Promise<FaultHarness> {
    const subject = await startSwarmEngine(options, { updateIntervalMs: 2000, prefillChunkTokens: 16 })
    return new FaultHarness(subject, options)
  }

  /** 0 … 1, the same for the same seed. */
  random(): number {
    return this.#random() / 2 ** 32
  }

  /** Finds out what the answer is when nothing goes wrong; the second time, when servers are warm. */
  async prepare(text: string, newTokens: number, grammar?: Grammar): Promise<Prompt> {
    const tokens = this.subject.model.tokenizer.encode(text, { addSpecialTokens: true })
    await this.#read({ tokens, newTokens, grammar }, [])
    const { ids, times, startedAt } = await this.#read({ tokens, newTokens, grammar }, [])
    return { tokens, newTokens, grammar, expected: ids, firstTokenMs: times[0]! - startedAt }
  }

  /** Answers, whatever happens meanwhile. */
  async answer(prompt: Prompt, disturbances: readonly Disturbance[]): Promise<DisturbedAnswer> {
    const { ids, times, actedAt, failovers, waits } = await this.#read(prompt, disturbances)
    const from = Math.min(...actedAt)
    const moments = [from, ...times.filter((time) => time > from)]
    const gaps = moments.slice(1).map((time, i) => time - moments[i]!)
    const longestMs = Math.max(0, ...times.slice(1).map((time, i) => time - times[i]!))
    return { ids, failovers, pauseMs: Math.max(0, ...gaps), longestMs, disturbed: gaps.length > 0, waits }
  }

  /** The server that works for a session in this place of its route. */
  serverOf(session: Session, hop: number): SwarmServer {
    const { peer } = session.route!().hops[hop]!
    return this.subject.swarm.servers.find(({ peerId }) => peerId === peer)!
  }

  /** The servers of the same blocks that have not been killed, with the server itself. */
  replicasOf({ start, end }: SwarmServer): readonly SwarmServer[] {
    const { servers } = this.subject.swarm
    return servers.filter((each) => each.start === start && each.end === end && !this.#lost.has(each))
  }

  /** `kill -9` of a server's whole process group; another one is started in its place. */
  kill(server: SwarmServer): void {
    server.signal('SIGKILL')
    if (this.#lost.has(server)) return
    this.#lost.add(server)
    const replace = (): Promise<unknown> => this.#replace(server)
    // It fails to start when all the peers that it was told of are killed meanwhile: then it is told of others.
    this.#repairs = Promise.all([this.#repairs, server.exited.then(replace).catch(replace)])
  }

  /** Waits until every span has as many servers as are required, and the client knows of them. */
  async repaired(): Promise<void> {
    const deadline = performance.now() + restoreTimeoutMs
    while (performance.now() < deadline) {
      await Promise.race([this.#repairs.then(() => delay(200)), delay(500)]) // throws if a server does not start
      if (await this.#isWhole()) return
    }
    throw new Error(`The swarm has not recovered within ${restoreTimeoutMs / 1000} s.`)
  }

  async #isWhole(): Promise<boolean> {
    const { engine, swarm } = this.subject
    const living = new Set(swarm.servers.filter((each) => !this.#lost.has(each)).map(({ peerId }) => peerId))
    const [status] = (await engine.swarm.status()).models
    const known = status!.servers.filter(({ peer, state }) => state === 'online' && living.has(peer))
    return Array.from({ length: swarm.blocks }, (_, block) =>
      known.filter(({ start, end }) => start <= block && block < end),
    ).every((servers) => servers.length >= this.#required)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#repairs.catch(() => {})
    await this.subject[Symbol.asyncDispose]()
  }

  async #read(
    { tokens, newTokens: count, grammar }: Pick<Prompt, 'tokens' | 'newTokens' | 'grammar'>,
    disturbances: readonly Disturbance[],
  ) {
    const { model } = this.subject
    const isEnd = (token: TokenId): boolean => grammar !== undefined && model.tokenizer.eosTokens.has(token)
    await using session = await model.openSession({ maxLength: tokens.length + count })
    const actedAt: number[] = []
    const plan = disturbances.map(({ afterTokens, delayMs, act }) => ({
      afterTokens,
      async run() {
        while (session.route!().hops.length === 0) await delay(1)
        if (delayMs > 0) await delay(delayMs)
        if (ids.length === count) return
        actedAt.push(performance.now())
        act(session)
      },
    }))
    const running: Promise<void>[] = []
    const begin = (taken: number): void => {
      for (const each of plan) if (each.afterTokens === taken) running.push(each.run())
    }
    const ids: TokenId[] = []
    const times: number[] = []
    const waits: (SwarmWait | undefined)[] = []
    const onWait = (wait: SwarmWait | undefined): void => void waits.push(wait)
    const startedAt = performance.now()
    begin(0)
    for await (const { token } of session.generate(tokens, { sampling: greedy, grammar, onWait })) {
      ids.push(token)
      times.push(performance.now())
      if (ids.length === count || isEnd(token)) break
      begin(ids.length)
    }
    await Promise.all(running)
    return { ids, times, startedAt, actedAt, waits, failovers: session.route!().failovers.length }
  }
}
