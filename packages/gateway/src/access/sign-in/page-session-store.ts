/** A browser that is signed in. */
export interface PageSession {
  /** SHA-256 of the token in its cookie, in hex: a reader of the store can't sign in with it. */
  readonly tokenHash: string
  /** Id of the caller that signed in. */
  readonly callerId: string
  /** For people. */
  readonly name: string
  /** Describes the config that let the caller in: when that changes, the caller must sign in again. */
  readonly policy: string
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

/** Browsers in which one caller can be signed in: more are forgotten sign-ins, or an attack on the store. */
export const MAX_SESSIONS_PER_CALLER = 20

/** Where sign-ins are kept. Several gateways may use one store at the same time. */
export interface PageSessionStore {
  /** Adds a session. Of a caller's sessions above `MAX_SESSIONS_PER_CALLER`, the oldest ones end. */
  add(session: PageSession): void
  find(tokenHash: string): PageSession | undefined
  remove(tokenHash: string): void
}
