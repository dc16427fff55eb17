import type { PeerId } from '@petals-chat/petals/protocol'
import type { SessionInfo, SessionObserver } from '../sessions/host.ts'

/** What a peer has used of the server since it started. */
export interface PeerUse {
  readonly peer: PeerId
  readonly sessions: number
  readonly tokens: number
}

/** The work of a server, for a line that shows it. */
export interface ActivityReport {
  readonly sessions: number
  /** Tokens since the start, each counted once whatever the number of blocks. */
  readonly tokens: number
  readonly tokensPerSecond: number
  /** Peers with open sessions, and those that have used the most. */
  readonly users: readonly PeerUse[]
}

/** The rate is that of this time. */
const windowMs = 10_000
const maxPeers = 256
const maxReported = 16

/** Counts sessions and tokens. */
export class Activity implements SessionObserver {
  readonly #open = new Map<SessionInfo, number>()
  readonly #peers = new Map<PeerId, number>()
  readonly #recent: { readonly at: number; readonly tokens: number }[] = []
  readonly #onChange: () => void
  readonly #now: () => number
  #tokens = 0

  constructor(onChange: () => void = () => {}, now: () => number = () => performance.now()) {
    this.#onChange = onChange
    this.#now = now
  }

  get sessions(): number {
    return this.#open.size
  }

  opened(session: SessionInfo): void {
    this.#open.set(session, 0)
    this.#onChange()
  }

  computed(session: SessionInfo, tokens: number): void {
    if (tokens === 0) return
    this.#tokens += tokens
    this.#note(session.peer, tokens)
    this.#recent.push({ at: this.#now(), tokens })
    this.#forgetOld()
    this.#onChange()
  }

  closed(session: SessionInfo): void {
    this.#open.delete(session)
    this.#onChange()
  }

  report(): ActivityReport {
    this.#forgetOld()
    const recent = this.#recent.reduce((sum, { tokens }) => sum + tokens, 0)
    return {
      sessions: this.#open.size,
      tokens: this.#tokens,
      tokensPerSecond: recent / (windowMs / 1000),
      users: this.#users(),
    }
  }

  #users(): readonly PeerUse[] {
    const sessions = new Map<PeerId, number>()
    for (const { peer } of this.#open.keys()) sessions.set(peer, (sessions.get(peer) ?? 0) + 1)
    return [...new Set([...sessions.keys(), ...this.#peers.keys()])]
      .map((peer) => ({ peer, sessions: sessions.get(peer) ?? 0, tokens: this.#peers.get(peer) ?? 0 }))
      .sort((a, b) => b.sessions - a.sessions || b.tokens - a.tokens)
      .slice(0, maxReported)
  }

  #note(peer: PeerId, tokens: number): void {
    const used = (this.#peers.get(peer) ?? 0) + tokens
    this.#peers.delete(peer)
    this.#peers.set(peer, used)
    const [oldest] = this.#peers.keys()
    if (this.#peers.size > maxPeers) this.#peers.delete(oldest!)
  }

  #forgetOld(): void {
    const from = this.#now() - windowMs
    while (this.#recent[0] && this.#recent[0].at < from) this.#recent.shift()
  }
}
