import type { DatabaseSync } from 'node:sqlite'

/**
 * Runs reads and writes as one, which no other process can come between. Within a transaction, they are a part of it.
 * @throws what `work` throws, and errors of SQLite; then nothing has changed.
 */
export function inTransaction<Result>(database: DatabaseSync, work: () => Result): Result {
  if (database.isTransaction) return work()
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    database.exec('COMMIT')
    return result
  } catch (error) {
    // A full disk, for instance, has ended it already.
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

/**
 * Runs reads and writes as one, like `inTransaction`. What was committed survives a loss of power, so that what was revoked
 * stays revoked.
 */
export function inDurableTransaction<Result>(database: DatabaseSync, work: () => Result): Result {
  if (database.isTransaction) return work()
  database.exec('PRAGMA synchronous = FULL')
  try {
    return inTransaction(database, work)
  } finally {
    database.exec('PRAGMA synchronous = NORMAL')
  }
}
