import { MAX_SIGN_INS_PER_CALLER } from '@petals-chat/access'
import type { PageSession, PageSessionStore } from './page-session-store.ts'

/** Keeps sign-ins as long as the process runs, for a gateway without a database. */
export class MemoryPageSessions implements PageSessionStore {
  /** By the hash of the token, in the order of their start. */
  readonly #sessions = new Map<string, PageSession>()

  add(session: PageSession): void {
    const now = Date.now()
    for (const { tokenHash, expiresAt } of this.#sessions.values())
      if (expiresAt <= now) this.remove(tokenHash)
    const own = [...this.#sessions.values()].filter(({ callerId }) => callerId === session.callerId)
    for (const { tokenHash } of own.slice(0, Math.max(0, own.length + 1 - MAX_SIGN_INS_PER_CALLER)))
      this.remove(tokenHash)
    this.#sessions.set(session.tokenHash, session)
  }

  find(tokenHash: string): PageSession | undefined {
    return this.#sessions.get(tokenHash)
  }

  remove(tokenHash: string): void {
    this.#sessions.delete(tokenHash)
  }
}
