import { chmodSync, chownSync, closeSync, existsSync, mkdirSync, openSync, readSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { AccessError } from './access-error.ts'
import { reasonOf } from './reason-of.ts'
import { checkSchemaVersion } from './schema-version.ts'

/** Milliseconds that a statement waits for another process that writes. The gateway's event loop waits as long. */
const BUSY_TIMEOUT_MS = 1_000

/** The first bytes of each database that is not empty (https://www.sqlite.org/fileformat.html, 1.3). */
const SQLITE_HEADER = 'SQLite format 3\0'

/**
 * Opens the file of keys and usage, and makes it if it does not exist: readable by its user alone.
 * @param path of the file, or `:memory:`. @throws AccessError that names the file
 */
export function openConnection(path: string): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    if (path !== ':memory:') provideFile(path)
    database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })
    assertOwnTables(database)
    checkSchemaVersion(database, path)
    if (path !== ':memory:') chmodSync(path, 0o600)
    // Readers never wait for a writer; what was committed survives a crash of the process.
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON')
    return database
  } catch (error) {
    database?.close()
    if (error instanceof AccessError) throw error
    throw new AccessError(
      'invalid',
      `The file of API keys, ${path}, can't be opened: ${reasonOf(error)}. Make its folder writable, or set server.access.file.`,
    )
  }
}

/** Makes the file if there is none. A file that is not ours is left as it is: the path may be a mistake. */
function provideFile(path: string): void {
  const folder = dirname(path)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  if (existsSync(path)) return assertDatabase(path)
  closeSync(openSync(path, 'a', 0o600))
  if (process.getuid?.() !== 0) return
  // A file that root makes belongs to the owner of its folder, so that the user of a service can read it.
  const { uid, gid } = statSync(folder)
  chownSync(path, uid, gid)
}

/** @throws Error if the path names a folder, a device, or a file that is no database of SQLite. */
function assertDatabase(path: string): void {
  if (!statSync(path).isFile()) throw new Error('it is no file')
  const file = openSync(path, 'r')
  try {
    const header = Buffer.alloc(SQLITE_HEADER.length)
    const length = readSync(file, header)
    if (length > 0 && header.toString('latin1') !== SQLITE_HEADER)
      throw new Error('it is a file of another kind')
  } finally {
    closeSync(file)
  }
}

/** @throws Error if another program made the database: it has tables, and none of ours. */
function assertOwnTables(database: DatabaseSync): void {
  const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all()
  const names = tables.map(({ name }) => name)
  if (names.length === 0 || names.includes('keys') || names.includes('usage')) return
  throw new Error('it is a database of another program')
}
