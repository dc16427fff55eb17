import type { AccessDatabase } from './access-database.ts'

type Connection = AccessDatabase['connection']

/** Milliseconds for which a transaction waits for those of other processes. The gateway's event loop waits as long. */
const BUSY_TIMEOUT_MS = 1_000

/** Milliseconds between tries to begin. */
const RETRY_MS = 1

/** After another process was seen that writes, milliseconds for which this one leaves it a gap between its transactions. */
const POLITE_MS = 1_000

/** Longer than the time between tries. */
const GAP_MS = 2

/** SQLITE_BUSY (https://www.sqlite.org/rescode.html). */
const BUSY = 5

/**
 * Runs reads and writes as one, which no other process can come between. Within a transaction, they are a part of it.
 * @throws what `work` throws, and errors of SQLite; then nothing has changed.
 */
export function inTransaction<Result>(database: AccessDatabase, work: () => Result): Result {
  const { connection } = database
  if (connection.isTransaction) return work()
  begin(connection)
  try {
    const result = work()
    connection.exec('COMMIT')
    endedAt = performance.now()
    return result
  } catch (error) {
    // A full disk, for instance, has ended it already.
    if (connection.isTransaction) connection.exec('ROLLBACK')
    throw error
  }
}

/**
 * Runs reads and writes as one, like `inTransaction`. What was committed survives a loss of power, so that what was revoked
 * stays revoked.
 */
export function inDurableTransaction<Result>(database: AccessDatabase, work: () => Result): Result {
  const { connection } = database
  if (connection.isTransaction) return work()
  connection.exec('PRAGMA synchronous = FULL')
  try {
    return inTransaction(database, work)
  } finally {
    connection.exec('PRAGMA synchronous = NORMAL')
  }
}

let endedAt = -Infinity
let busyAt = -Infinity

/**
 * Begins a transaction that writes. SQLite's own wait looks every 100 ms in the end, so that a process that writes all the
 * time keeps another one out for seconds; this one looks every millisecond.
 */
function begin(connection: Connection): void {
  const now = performance.now()
  if (now - busyAt < POLITE_MS && now - endedAt < GAP_MS) sleep(GAP_MS)
  const endsAt = now + BUSY_TIMEOUT_MS
  const timeout = connection.prepare('PRAGMA busy_timeout').get()?.['timeout']
  connection.exec('PRAGMA busy_timeout = 0')
  try {
    while (!tryBegin(connection, performance.now() < endsAt)) {
      busyAt = performance.now()
      sleep(RETRY_MS)
    }
  } finally {
    connection.exec(`PRAGMA busy_timeout = ${Number(timeout)}`)
  }
}

/** Returns false if another process writes. @throws Error of SQLite, that one too if it is the last try */
function tryBegin(connection: Connection, mayFail: boolean): boolean {
  try {
    connection.exec('BEGIN IMMEDIATE')
    return true
  } catch (error) {
    if (mayFail && (error as { readonly errcode?: number }).errcode === BUSY) return false
    throw error
  }
}

const sleepers = new Int32Array(new SharedArrayBuffer(4))

/** Stops this thread. */
const sleep = (ms: number): unknown => Atomics.wait(sleepers, 0, 0, ms)
