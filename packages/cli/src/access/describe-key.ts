import { type CreatedKey, dayOf, type KeyRecord } from '@petals-chat/access'
import type { Terminal } from '../terminal/terminal.ts'

/** Returns the state of a key in words. `now`: milliseconds since 1970. */
export function describeKeyState({ revokedAt, expiresAt }: KeyRecord, now: number): string {
  if (revokedAt !== undefined) return `revoked ${day(revokedAt)}`
  if (expiresAt === undefined) return 'valid'
  return expiresAt <= now ? `expired ${day(expiresAt)}` : `until ${day(expiresAt)}`
}

/** `2026-11-28`, in UTC; `never` for a time that has not come. */
export const day = (time: number | undefined): string => (time === undefined ? 'never' : dayOf(time))

/** Prints a new secret: the only time that it is shown. The secret alone is on stdout, so that a script can keep it. */
export function printSecret(terminal: Terminal, { key, token }: CreatedKey): void {
  terminal.note(`The key '${key.name}' (${key.id}), for ${key.scopes.join(', ')}. It is shown only now:`)
  terminal.out(token)
  terminal.note('Clients send it as "Authorization: Bearer KEY"; on the page, sign in with it.')
}
