import type { StatementSync } from 'node:sqlite'
import { z } from 'zod'
import type { AccessDatabase } from '../access-database.ts'
import { inDurableTransaction } from '../in-transaction.ts'
import { preparedStatements } from '../prepared-statements.ts'

/** A browser in which a person is signed in. */
export interface SignInRecord {
  /** SHA-256 of the token in its cookie, in hex: a reader of the file can't sign in with it. */
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

/** Browsers in which one caller can be signed in: more are forgotten sign-ins, or an attack on the file. */
export const MAX_SIGN_INS_PER_CALLER = 20

const CREATE_TABLE = `
  CREATE TABLE IF NOT EXISTS sign_ins (
    id INTEGER PRIMARY KEY AUTOINCREMENT, token_hash TEXT NOT NULL UNIQUE, caller_id TEXT NOT NULL,
    name TEXT NOT NULL, policy TEXT NOT NULL, expires_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS sign_ins_by_caller ON sign_ins (caller_id, id);
  CREATE INDEX IF NOT EXISTS sign_ins_by_end ON sign_ins (expires_at)`

const statements = {
  insert: 'INSERT INTO sign_ins (token_hash, caller_id, name, policy, expires_at) VALUES (?, ?, ?, ?, ?)',
  find: `SELECT token_hash AS tokenHash, caller_id AS callerId, name, policy, expires_at AS expiresAt
    FROM sign_ins WHERE token_hash = ?`,
  remove: 'DELETE FROM sign_ins WHERE token_hash = ?',
  removeEnded: 'DELETE FROM sign_ins WHERE expires_at <= ?',
  removeOldest: `DELETE FROM sign_ins WHERE caller_id = ? AND id NOT IN (
    SELECT id FROM sign_ins WHERE caller_id = ? ORDER BY id DESC LIMIT ${MAX_SIGN_INS_PER_CALLER})`,
} as const

const row = z.object({
  tokenHash: z.string(),
  callerId: z.string(),
  name: z.string(),
  policy: z.string(),
  expiresAt: z.number(),
})

/**
 * Keeps who is signed in, in the table `sign_ins`. Several processes may use one file: each sees at once what another has
 * added or removed. Files of older programs get the table.
 */
export class SignInStore {
  readonly #database: AccessDatabase
  readonly #now: () => number
  readonly #statement: (name: keyof typeof statements) => StatementSync

  /** The caller keeps ownership of the database. `now`: milliseconds since 1970, for tests. */
  constructor(database: AccessDatabase, { now = Date.now }: { readonly now?: () => number } = {}) {
    this.#database = database
    this.#statement = preparedStatements(database, statements)
    this.#now = now
    database.provide(CREATE_TABLE)
  }

  /**
   * Adds a sign-in, and removes those that have ended. Of a caller's sign-ins above `MAX_SIGN_INS_PER_CALLER`, the oldest
   * ones end. @throws Error of SQLite; then nothing has changed.
   */
  add({ tokenHash, callerId, name, policy, expiresAt }: SignInRecord): void {
    inDurableTransaction(this.#database, () => {
      this.#statement('removeEnded').run(this.#now())
      this.#statement('insert').run(tokenHash, callerId, name, policy, expiresAt)
      this.#statement('removeOldest').run(callerId, callerId)
    })
  }

  /** Returns a sign-in, also one that has ended and was not removed yet; else undefined. */
  find(tokenHash: string): SignInRecord | undefined {
    const found = this.#statement('find').get(tokenHash)
    return found && row.parse({ ...found })
  }

  /** Ends a sign-in for good: also a loss of power does not bring it back. @throws Error of SQLite */
  remove(tokenHash: string): void {
    inDurableTransaction(this.#database, () => this.#statement('remove').run(tokenHash))
  }
}
