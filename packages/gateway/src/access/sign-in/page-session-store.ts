import type { SignInRecord } from '@petals-chat/access'

/** A browser that is signed in. */
export type PageSession = SignInRecord

/** Where sign-ins are kept; `SignInStore` is one. Several gateways may use one store at the same time. */
export interface PageSessionStore {
  /** Adds a session. Of a caller's sessions above `MAX_SIGN_INS_PER_CALLER`, the oldest ones end. */
  add(session: PageSession): void
  find(tokenHash: string): PageSession | undefined
  remove(tokenHash: string): void
}
