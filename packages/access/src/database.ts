import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { AccessError } from './access-error.ts'

/** Milliseconds that a statement waits for another process that writes. The gateway's event loop waits as long. */
const BUSY_TIMEOUT_MS = 1_000

/**
 * Opens the file of keys and usage, and makes it if it does not exist: readable by its user alone. Several processes may
 * have it open; each table belongs to the module that uses it.
 * @param path of the file, or `:memory:`.
 * @throws AccessError that names the file.
 */
export function openAccessDatabase(path: string): DatabaseSync {
  try {
    if (path !== ':memory:') makePrivateFile(path)
    const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })
    // Readers never wait for a writer; what was committed survives a crash of the process.
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON')
    return database
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new AccessError(
      'invalid',
      `The file of API keys, ${path}, can't be opened: ${reason}. Make its folder writable, or set server.access.file.`,
    )
  }
}

function makePrivateFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  closeSync(openSync(path, 'a', 0o600))
  chmodSync(path, 0o600)
}
