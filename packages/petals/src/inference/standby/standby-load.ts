import type { PeerId } from '../../p2p/peer-id.ts'
import type { ServerSession } from '../server-session.ts'

/** Share of a server's time that the standbys of this client may take, all together. */
const maxDuty = 1 / 8

/** A server that failed as a standby is not asked to be one for this long, milliseconds. */
const coolOffMs = 30_000

/** Servers that are remembered, at most. */
const maxServers = 1024

/** One request of a standby, which runs. */
export interface StandbyWork {
  readonly peer: PeerId
  /** `performance.now()` milliseconds. */
  readonly since: number
}

/** What the standbys of all sessions of a model take from servers. It keeps them from slowing the answers there. */
export class StandbyLoad {
  readonly #now: () => number
  readonly #spares = new Set<ServerSession>()
  readonly #running = new Map<PeerId, StandbyWork>()
  /** When a server may get the next request of a standby, `performance.now()` milliseconds. */
  readonly #freeAt = new Map<PeerId, number>()
  readonly #coolUntil = new Map<PeerId, number>()

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Notes a session that is a standby, until it is over or `release` is called. */
  add(spare: ServerSession): void {
    this.#spares.add(spare)
  }

  release(spare: ServerSession): void {
    this.#spares.delete(spare)
  }

  /** Returns the vectors of KV cache that standbys of this client have on the server. */
  reserved(peer: PeerId): number {
    return this.#on(peer).reduce(
      (sum, { span, maxLength }) => sum + 2 * maxLength * (span.end - span.start),
      0,
    )
  }

  /** Closes the standbys on a server that has no room for a session. Returns false if there are none. */
  makeRoom(peer: PeerId): boolean {
    const spares = this.#on(peer)
    for (const spare of spares) spare.close()
    if (spares.length > 0) this.coolOff(peer)
    return spares.length > 0
  }

  /** Begins a request on the server, if it may get one now; undefined if not. */
  begin(peer: PeerId): StandbyWork | undefined {
    if (this.#running.has(peer) || (this.#freeAt.get(peer) ?? 0) > this.#now()) return undefined
    const work = { peer, since: this.#now() }
    this.#running.set(peer, work)
    return work
  }

  /** Notes that a request is done. The server took so long for it as the answer took, without the way there and back. */
  end(work: StandbyWork, roundTripMs: number): void {
    if (this.#running.get(work.peer) !== work) return
    this.#running.delete(work.peer)
    const now = this.#now()
    const workMs = Math.max(0, now - work.since - roundTripMs)
    remember(this.#freeAt, work.peer, now + workMs * (1 / maxDuty - 1))
  }

  coolOff(peer: PeerId): void {
    remember(this.#coolUntil, peer, this.#now() + coolOffMs)
  }

  isCooling(peer: PeerId): boolean {
    return (this.#coolUntil.get(peer) ?? 0) > this.#now()
  }

  #on(peer: PeerId): readonly ServerSession[] {
    for (const spare of this.#spares) if (spare.failure) this.#spares.delete(spare)
    return [...this.#spares].filter(({ span }) => span.peer === peer)
  }
}

function remember(times: Map<PeerId, number>, peer: PeerId, time: number): void {
  times.delete(peer)
  times.set(peer, time)
  const [oldest] = times.keys()
  if (times.size > maxServers && oldest !== undefined) times.delete(oldest)
}
