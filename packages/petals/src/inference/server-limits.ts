import type { PeerId } from '../p2p/peer-id.ts'
import { readRefusal } from './refusal.ts'

/** A limit is believed for this long: a server may be started again with others. */
const lifetimeMs = 15 * 60_000
/** A server that is started again needs this long to load its blocks and to be found: another limit before that is a lie. */
const restartMs = 60_000
/** Servers that are remembered, at most. */
const maxServers = 4096

interface Limit {
  readonly tokens: number
  /** `performance.now()` milliseconds. */
  readonly learntAt: number
}

/** What a refusal adds to what is known of the server. */
export type Lesson = 'new' | 'known' | 'contradiction'

/**
 * Limits of servers, learnt from their refusals. All sessions of a model share them. What a server says counts for that
 * server alone: a swarm is open to everyone.
 */
export class ServerLimits {
  readonly #now: () => number
  readonly #sessions = new Map<PeerId, Limit>()
  readonly #requests = new Map<PeerId, Limit>()
  readonly #emptySteps = new Map<PeerId, Limit>()

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Longest session of this server, tokens; Infinity if it has named no limit. */
  sessionTokens(peer: PeerId): number {
    return this.#current(this.#sessions, peer) ?? Infinity
  }

  /** Most tokens of one request to this server; Infinity if it has named no limit. */
  requestTokens(peer: PeerId): number {
    return this.#current(this.#requests, peer) ?? Infinity
  }

  /** Reports whether this server fails at steps of no tokens. */
  failsAtEmptySteps(peer: PeerId): boolean {
    return this.#current(this.#emptySteps, peer) !== undefined
  }

  /** Returns the servers whose sessions are known to be shorter than `tokens`. */
  shorterThan(tokens: number): readonly PeerId[] {
    return [...this.#sessions.keys()].filter((peer) => this.sessionTokens(peer) < tokens)
  }

  /**
   * Forgets a server whose connection was lost: its process may have been started again, with other limits. A server that
   * cuts connections to change its limits is banned for the cuts.
   */
  forget(peer: PeerId): void {
    for (const limits of [this.#sessions, this.#requests, this.#emptySteps]) limits.delete(peer)
  }

  /**
   * Notes the limit that a refusal names; undefined if it names none. A server has one limit of each kind in one life, so
   * that another one within a minute contradicts the first.
   */
  learn(cause: unknown, peer: PeerId): Lesson | undefined {
    const refusal = readRefusal(cause)
    switch (refusal?.limit) {
      case 'session-tokens':
        return this.#note(this.#sessions, peer, refusal.tokens)
      case 'request-tokens':
        return this.#note(this.#requests, peer, refusal.tokens)
      case 'no-empty-steps':
        return this.#note(this.#emptySteps, peer, 0)
      case undefined:
        return undefined
    }
  }

  #current(limits: ReadonlyMap<PeerId, Limit>, peer: PeerId): number | undefined {
    const limit = limits.get(peer)
    return limit && this.#now() - limit.learntAt < lifetimeMs ? limit.tokens : undefined
  }

  #note(limits: Map<PeerId, Limit>, peer: PeerId, tokens: number): Lesson {
    const known = this.#current(limits, peer)
    if (known === tokens) return 'known'
    const age = this.#now() - (limits.get(peer)?.learntAt ?? -Infinity)
    if (known !== undefined && age < restartMs) return 'contradiction'
    limits.delete(peer)
    limits.set(peer, { tokens, learntAt: this.#now() })
    const [oldest] = limits.keys()
    if (limits.size > maxServers && oldest !== undefined) limits.delete(oldest)
    return 'new'
  }
}
