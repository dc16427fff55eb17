import { ServedError, type PeerId } from '@petals-chat/petals/protocol'
import type { Arrival } from './arrivals.ts'
import type { ServingLimits } from './host.ts'

/** An open session, as the table knows it. */
export interface OpenSession {
  readonly peer: PeerId
  readonly sessionId: string | undefined
  /** Takes a request that another server has pushed. */
  push(arrival: Arrival): void
}

/** The open sessions, by the ids to which other servers push. */
export class SessionTable {
  readonly #limits: Pick<ServingLimits, 'sessions' | 'sessionsPerPeer'>
  readonly #open = new Set<OpenSession>()
  readonly #byId = new Map<string, OpenSession>()
  readonly #ofPeer = new Map<PeerId, number>()

  constructor(limits: Pick<ServingLimits, 'sessions' | 'sessionsPerPeer'>) {
    this.#limits = limits
  }

  get size(): number {
    return this.#open.size
  }

  /** Adds a session until the returned function is called. @throws ServedError if there are too many, or its id is in use */
  add(session: OpenSession): () => void {
    const { peer, sessionId } = session
    const ofPeer = this.#ofPeer.get(peer) ?? 0
    const { sessions, sessionsPerPeer } = this.#limits
    if (ofPeer >= Math.min(sessionsPerPeer, sessions - this.#open.size))
      throw new ServedError('RuntimeError', 'Could not allocate a session: this server has too many of them')
    if (sessionId !== undefined && this.#byId.has(sessionId))
      throw new ServedError('AssertionError', `session id ${sessionId} is not unique`)
    this.#open.add(session)
    this.#ofPeer.set(peer, ofPeer + 1)
    if (sessionId !== undefined) this.#byId.set(sessionId, session)
    return () => this.#remove(session)
  }

  find(sessionId: string): OpenSession | undefined {
    return this.#byId.get(sessionId)
  }

  #remove(session: OpenSession): void {
    const { peer, sessionId } = session
    if (!this.#open.delete(session)) return
    const left = this.#ofPeer.get(peer)! - 1
    if (left > 0) this.#ofPeer.set(peer, left)
    else this.#ofPeer.delete(peer)
    if (sessionId !== undefined) this.#byId.delete(sessionId)
  }
}
