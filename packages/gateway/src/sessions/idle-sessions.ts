import { commonPrefixLength, type Session, type TokenId } from '@petals-chat/engine'
import { isAddressAccount } from '../address-account.ts'
import type { AcquireRequest } from '../context.ts'

export interface IdleSessionsOptions {
  /** Milliseconds that a session is kept. */
  readonly timeoutMs: number
  /** Clients without a credential share their sessions (`server.sessions.shareCaches`). */
  readonly shareCaches: boolean
  /** Closes a session that was not used in time. */
  readonly onExpire: (session: Session) => Promise<void>
}

/** Whom a session is kept for. Its tokens must not show, by time or count, what another account has sent. */
export type SessionHolder = Pick<AcquireRequest, 'owner' | 'account'>

interface IdleSession extends SessionHolder {
  readonly session: Session
  readonly timer: NodeJS.Timeout
}

/** Sessions without a lease, the longest idle first. A session that is taken out belongs to the caller alone. */
export class IdleSessions {
  readonly #options: IdleSessionsOptions
  readonly #entries: IdleSession[] = []

  constructor(options: IdleSessionsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#entries.length
  }

  /** Bytes of this process's memory that the sessions hold, as far as their engine tells. */
  get memoryBytes(): number {
    return this.#entries.reduce((sum, { session }) => sum + (session.memoryBytes?.() ?? 0), 0)
  }

  add(session: Session, holder: SessionHolder): void {
    const timer = setTimeout(() => this.#expire(session), this.#options.timeoutMs)
    timer.unref()
    this.#entries.push({ session, owner: holder.owner, account: this.#holderOf(holder), timer })
  }

  /**
   * Takes the session that holds the most of `prompt`, if that is at least half of its tokens: truncating it further would
   * cost its own dialogue more than the new one gains. Otherwise takes a session that was prewarmed for the owner. Sessions of other
   * owners and accounts are never taken.
   */
  takeBest(prompt: readonly TokenId[], holder: SessionHolder): Session | undefined {
    const { owner } = holder
    const account = this.#holderOf(holder)
    let best: IdleSession | undefined
    let bestLength = 0
    for (const entry of this.#entries) {
      if (entry.owner !== owner || entry.account !== account) continue
      const length = commonPrefixLength(entry.session.tokens, prompt)
      const isFresh = entry.session.tokens.length === 0
      if (length >= bestLength && (length > 0 || isFresh) && length * 2 >= entry.session.tokens.length) {
        best = entry
        bestLength = length
      }
    }
    return best && this.#take(best)
  }

  takeOldest(): Session | undefined {
    const oldest = this.#entries[0]
    return oldest && this.#take(oldest)
  }

  takeOwned(owner: object): Session[] {
    return this.#entries.filter((entry) => entry.owner === owner).map((entry) => this.#take(entry))
  }

  takeAll(): Session[] {
    return [...this.#entries].map((entry) => this.#take(entry))
  }

  #holderOf({ account }: SessionHolder): string | undefined {
    const shares = this.#options.shareCaches && account !== undefined && isAddressAccount(account)
    return shares ? 'addresses' : account
  }

  #take(entry: IdleSession): Session {
    clearTimeout(entry.timer)
    this.#entries.splice(this.#entries.indexOf(entry), 1)
    return entry.session
  }

  #expire(session: Session): void {
    const entry = this.#entries.find((candidate) => candidate.session === session)
    if (entry !== undefined) void this.#options.onExpire(this.#take(entry))
  }
}
