import type { PeerId } from '../p2p/peer-id.ts'

/** A step of a session on one server, as this client saw it. */
export interface DecodeStep {
  readonly peer: PeerId
  /** Default: 1. Several, of a prompt or guessed: such a step shows that a session is active, not how fast the server is. */
  readonly tokens?: number | undefined
  /** Tells the sessions on a server apart. */
  readonly session: string
  /** Blocks that the server ran. */
  readonly blocks: number
  /** From the request to the answer, or from the arrival of pushed inputs to the answer, milliseconds. */
  readonly ms: number
  /** Time from the answer to the step before, milliseconds. */
  readonly tokenMs: number
  /** Another server pushed the inputs: then `ms` is without the round trip to this client. */
  readonly isPushed?: boolean | undefined
}

/** How busy a server is. */
export interface ServerLoad {
  /** Seconds for one block of one token: the least that was measured, and the present mean. */
  readonly best: number
  readonly recent: number
  /** How much of `recent` holds now: 1 after a step, less as time goes by. */
  readonly trust: number
}

/** A session counts as active for this long after its last step, and a planned one for this long before its first. */
const activeForMs = 5000
const expectedForMs = 2000
/** What was measured this long ago counts e times less. */
const memoryMs = 60_000
/** Weight of a new sample. */
const newSampleWeight = 0.25
/** The best time of a server is forgotten by this factor with each step, because it may have become slower. */
const forgetting = 1.0005
/** Network and compute can't be told apart exactly: at least this share of a step is compute. */
const minComputeShare = 0.05
/** Servers that are remembered, at most. */
const maxPeers = 4096

interface Use {
  /** Milliseconds of the clock. */
  readonly at: number
  /** The share of the session's time that it spends on this server. */
  readonly share: number
}

interface Load {
  best: number
  recent: number
  at: number
  /** Mean number of steps of this client that were on the server when `recent` was measured. */
  own: number
}

interface Uses {
  readonly sessions: Map<string, Use>
  /** Of routes whose sessions have not made a step yet. */
  readonly expected: Use[]
}

/**
 * How busy servers are, by the steps of this client's own sessions: announcements say nothing about it, and round trips are
 * measured to a part of the server that does not compute.
 */
export class ServerLoads {
  readonly #now: () => number
  readonly #loads = new Map<PeerId, Load>()
  readonly #uses = new Map<PeerId, Uses>()

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number) {
    this.#now = now
  }

  /** @param rttSeconds the least round trip to the server; undefined if it is not known */
  stepped(step: DecodeStep, rttSeconds: number | undefined): void {
    const { peer, session, tokens = 1, blocks, ms, tokenMs, isPushed = false } = step
    const isFar = !isPushed && rttSeconds !== undefined && Number.isFinite(rttSeconds)
    const computeMs = Math.max(ms - (isFar ? rttSeconds * 1000 : 0), ms * minComputeShare)
    const at = this.#now()
    const { sessions, expected } = usesOf(this.#uses, peer)
    if (!sessions.has(session)) expected.shift()
    sessions.set(session, { at, share: Math.min(1, computeMs / Math.max(tokenMs, ms)) })
    if (tokens === 1) this.#measure(peer, computeMs / 1000 / blocks, at)
  }

  /** Notes that a session will run on the server: before its first steps, nothing else tells of it. */
  expect(peer: PeerId, share: number): void {
    usesOf(this.#uses, peer).expected.push({ at: this.#now(), share })
  }

  ended(peer: PeerId, session: string): void {
    this.#uses.get(peer)?.sessions.delete(session)
  }

  /** Calls `visit` with each server that has been measured. */
  forEach(visit: (peer: PeerId, load: ServerLoad) => void): void {
    for (const [peer, load] of this.#loads)
      visit(peer, { best: load.best, recent: load.recent, trust: this.#trust(load) })
  }

  /**
   * Calls `visit` with the number of steps for which a new session will wait on a server beyond what was measured: those of
   * sessions that came since, and of the measured sessions, which did not wait for themselves. Negative if sessions ended.
   */
  forEachChange(visit: (peer: PeerId, steps: number) => void): void {
    for (const peer of new Set([...this.#uses.keys(), ...this.#loads.keys()])) {
      const load = this.#loads.get(peer)
      const change = this.#present(peer) - (load ? load.own * this.#trust(load) : 0)
      if (change !== 0) visit(peer, change)
    }
  }

  /** Returns the steps of this client for which a new session will wait on the server. */
  #present(peer: PeerId): number {
    const uses = this.#uses.get(peer)
    if (!uses) return 0
    const { sessions, expected } = uses
    const shares = this.#shares(sessions)
    const steps = shares + this.#sharesOf(expected)
    if (sessions.size + expected.length === 0) this.#uses.delete(peer)
    return steps + (sessions.size === 0 ? 0 : shares / sessions.size)
  }

  /** Returns the least seconds for one block of one token that any server took; 0 before the first step. */
  get fastest(): number {
    let fastest = Infinity
    for (const { best } of this.#loads.values()) fastest = Math.min(fastest, best)
    return fastest === Infinity ? 0 : fastest
  }

  /** Servers that have been measured. */
  get measured(): number {
    return this.#loads.size
  }

  #trust({ at }: Load): number {
    return Math.exp((at - this.#now()) / memoryMs)
  }

  #measure(peer: PeerId, seconds: number, at: number): void {
    const own = this.#shares(this.#uses.get(peer)!.sessions)
    const load = this.#loads.get(peer) ?? { best: seconds, recent: seconds, at, own }
    load.best = Math.min(load.best * forgetting, seconds)
    load.recent += (seconds - load.recent) * newSampleWeight
    load.own += (own - load.own) * newSampleWeight
    load.at = at
    this.#loads.delete(peer)
    this.#loads.set(peer, load)
    const [oldest] = this.#loads.keys()
    if (this.#loads.size > maxPeers && oldest !== undefined) this.#loads.delete(oldest)
  }

  #shares(sessions: Map<string, Use>): number {
    const oldest = this.#now() - activeForMs
    let sum = 0
    for (const [session, { at, share }] of sessions) {
      if (at < oldest) sessions.delete(session)
      else sum += share
    }
    return sum
  }

  #sharesOf(expected: Use[]): number {
    const oldest = this.#now() - expectedForMs
    while (expected[0] && expected[0].at < oldest) expected.shift()
    return expected.reduce((sum, { share }) => sum + share, 0)
  }
}

function usesOf(all: Map<PeerId, Uses>, peer: PeerId): Uses {
  const known = all.get(peer)
  if (known) return known
  const uses: Uses = { sessions: new Map(), expected: [] }
  all.set(peer, uses)
  return uses
}
