import type { StatementSync } from 'node:sqlite'
import { accessLimitsSchema, type Scope, scopes } from '@petals-chat/api'
import { z } from 'zod'
import type { AccessDatabase } from '../access-database.ts'
import { inDurableTransaction, inTransaction } from '../in-transaction.ts'
import { preparedStatements } from '../prepared-statements.ts'
import type { KeyRecord } from './key-record.ts'

/** A secret of a key, as the file has it. */
export interface StoredSecret {
  readonly secretId: number
  readonly hash: Uint8Array
  readonly expiresAt: number | undefined
}

const statements = {
  insertKey:
    'INSERT INTO keys (id, name, scopes, models, limits, created_at, expires_at, made_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
  insertSecret: 'INSERT INTO key_secrets (key_id, hash) VALUES (?, ?)',
  expireSecrets: 'UPDATE key_secrets SET expires_at = min(coalesce(expires_at, ?), ?) WHERE key_id = ?',
  list: 'SELECT * FROM keys ORDER BY created_at, rowid',
  get: 'SELECT * FROM keys WHERE id = ?',
  secrets: 'SELECT id, hash, expires_at FROM key_secrets WHERE key_id = ? ORDER BY id',
  secretWith: 'SELECT id, hash, expires_at FROM key_secrets WHERE hash = ? AND key_id = ?',
  forgetSecret: 'DELETE FROM key_secrets WHERE id = ?',
  forgetSecrets: 'DELETE FROM key_secrets WHERE key_id = ?',
  forget: 'DELETE FROM keys WHERE id = ?',
  revoke: 'UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL',
  noteUse: 'UPDATE keys SET last_used_at = ? WHERE id = ?',
  version: 'PRAGMA data_version',
} as const

const CREATE_TABLES = `
  CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, scopes TEXT NOT NULL, models TEXT, limits TEXT NOT NULL,
    created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER, last_used_at INTEGER,
    made_by TEXT REFERENCES keys (id)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS key_secrets (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key_id TEXT NOT NULL REFERENCES keys (id), hash BLOB NOT NULL,
    expires_at INTEGER
  ) STRICT;
  CREATE INDEX IF NOT EXISTS key_secrets_by_key ON key_secrets (key_id);
  CREATE INDEX IF NOT EXISTS key_secrets_by_hash ON key_secrets (hash, key_id)`

const nullable = <Schema extends z.ZodType>(schema: Schema) =>
  schema.nullable().transform((value) => value ?? undefined)

/** A scope that a newer version of this program knows is left out. */
const scopesColumn = z
  .string()
  .transform((text) => z.array(z.string()).parse(JSON.parse(text)))
  .transform((names) => scopes.filter((scope): scope is Scope => names.includes(scope)))

const keyRow = z.object({
  id: z.string(),
  name: z.string(),
  scopes: scopesColumn,
  models: nullable(z.string().transform((text) => z.array(z.string()).parse(JSON.parse(text)))),
  limits: z.string().transform((text) => accessLimitsSchema.parse(JSON.parse(text))),
  created_at: z.number(),
  expires_at: nullable(z.number()),
  revoked_at: nullable(z.number()),
  last_used_at: nullable(z.number()),
  made_by: nullable(z.string()),
})

/** The tables of keys, statement by statement. */
export class KeyTables {
  readonly #database: AccessDatabase
  readonly #statement: (name: keyof typeof statements) => StatementSync
  #changes = 0

  /** Creates the tables if the file is new. */
  constructor(database: AccessDatabase) {
    this.#database = database
    this.#statement = preparedStatements(database, statements)
    database.provide(CREATE_TABLES)
  }

  /** `data_version` counts what other connections have committed. */
  get version(): string {
    const version = this.#statement('version').get()?.['data_version']
    return `${this.#database.generation}.${String(version)}.${this.#changes}`
  }

  insert(key: KeyRecord, hash: Uint8Array): void {
    const { id, name, scopes: given, models, limits, createdAt, expiresAt, madeBy } = key
    const list = models === undefined ? null : JSON.stringify(models)
    this.#change(() => {
      const values = [id, name, JSON.stringify(given), list, JSON.stringify(limits), createdAt] as const
      this.#statement('insertKey').run(...values, expiresAt ?? null, madeBy ?? null)
      this.#statement('insertSecret').run(id, hash)
    })
  }

  /** Adds a secret; the others of the key expire at `oldUntil`. */
  rotate(id: string, hash: Uint8Array, oldUntil: number): void {
    this.#change(() => {
      this.#statement('expireSecrets').run(oldUntil, oldUntil, id)
      this.#statement('insertSecret').run(id, hash)
    })
  }

  revoke(ids: readonly string[], at: number): void {
    this.#change(() => ids.forEach((id) => this.#statement('revoke').run(at, id)))
  }

  /** Removes keys that have ended, each after those that it made. */
  forget(ids: readonly string[]): void {
    if (ids.length === 0) return
    this.#change(() => {
      for (const id of ids) {
        this.#statement('forgetSecrets').run(id)
        this.#statement('forget').run(id)
      }
    })
  }

  forgetSecrets(secretIds: readonly number[]): void {
    if (secretIds.length === 0) return
    this.#change(() => secretIds.forEach((secretId) => this.#statement('forgetSecret').run(secretId)))
  }

  list(): KeyRecord[] {
    return this.#statement('list').all().map(toRecord)
  }

  get(id: string): KeyRecord | undefined {
    const row = this.#statement('get').get(id)
    return row && toRecord(row)
  }

  secretsOf(id: string): StoredSecret[] {
    return this.#statement('secrets').all(id).map(toSecret)
  }

  /**
   * Returns the secret of a key with that hash. A wrong secret is looked for in the index of hashes, and takes as long
   * whether there is such a key, and however many secrets it has.
   */
  secretWith(id: string, hash: Uint8Array): StoredSecret | undefined {
    const row = this.#statement('secretWith').get(hash, id)
    return row && toSecret(row)
  }

  noteUse(id: string, at: number): void {
    inTransaction(this.#database, () => this.#statement('noteUse').run(at, id))
  }

  /** Runs reads and changes as one. What was committed survives a loss of power, so that a revoked key stays revoked. */
  atomically<Result>(work: () => Result): Result {
    return inDurableTransaction(this.#database, work)
  }

  #change(work: () => void): void {
    this.atomically(work)
    this.#changes += 1
  }
}

const toSecret = (row: Readonly<Record<string, unknown>>): StoredSecret => ({
  secretId: row['id'] as number,
  hash: row['hash'] as Uint8Array,
  expiresAt: (row['expires_at'] as number | null) ?? undefined,
})

function toRecord(row: unknown): KeyRecord {
  const { created_at, expires_at, revoked_at, last_used_at, made_by, ...same } = keyRow.parse(row)
  return {
    ...same,
    createdAt: created_at,
    expiresAt: expires_at,
    revokedAt: revoked_at,
    lastUsedAt: last_used_at,
    madeBy: made_by,
  }
}
