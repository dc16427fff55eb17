import { ServedError, Shares, type PeerId } from '@petals-chat/petals/protocol'
import type { Arrival } from './arrivals.ts'
import type { ServingLimits } from './host.ts'

/** An open session, as the table knows it. */
export interface OpenSession {
  readonly peer: PeerId
  /** As of `ServingHost.originOf`. */
  readonly origin: string
  readonly sessionId: string | undefined
  /** Takes a request that another server has pushed. */
  push(arrival: Arrival): void
}

/** The open sessions, by the ids to which other servers push. */
export class SessionTable {
  readonly #shares: Shares
  readonly #open = new Set<OpenSession>()
  readonly #byId = new Map<string, OpenSession>()

  constructor({ sessions, sessionsPerPeer }: Pick<ServingLimits, 'sessions' | 'sessionsPerPeer'>) {
    this.#shares = new Shares(sessions, sessionsPerPeer)
  }

  get size(): number {
    return this.#open.size
  }

  /** Adds a session until the returned function is called. @throws ServedError if there are too many, or its id is in use */
  add(session: OpenSession): () => void {
    const { peer, origin, sessionId } = session
    if (sessionId !== undefined && this.#byId.has(sessionId))
      throw new ServedError('AssertionError', `session id ${sessionId} is not unique`)
    const release = this.#shares.take(peer, origin)
    if (!release)
      throw new ServedError('RuntimeError', 'Could not allocate a session: this server has too many of them')
    this.#open.add(session)
    if (sessionId !== undefined) this.#byId.set(sessionId, session)
    return () => {
      if (!this.#open.delete(session)) return
      release()
      if (sessionId !== undefined) this.#byId.delete(sessionId)
    }
  }

  find(sessionId: string): OpenSession | undefined {
    return this.#byId.get(sessionId)
  }
}
