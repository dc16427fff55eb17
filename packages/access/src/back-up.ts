import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { AccessDatabase } from './access-database.ts'
import { AccessError } from './access-error.ts'
import { reasonOf } from './reason-of.ts'

/**
 * Copies the file of keys and usage while servers use it: what was committed at one moment, in one file without a log beside
 * it, which only its user may read. It is on the disk when the call returns. Sign-ins are left out: a copy that is put back
 * would sign in again who has signed out since.
 * @param path of the copy. @throws AccessError if there is such a file already, or it can't be written.
 */
export function backUpAccessDatabase(database: AccessDatabase, path: string): void {
  makeCopy(path)
  try {
    database.connection.prepare('VACUUM INTO ?').run(path)
    dropSignIns(path)
    flushFile(path)
  } catch (error) {
    rmSync(path)
    throw unwritableCopy(path, error)
  }
}

function dropSignIns(path: string): void {
  const copy = new DatabaseSync(path)
  try {
    copy.exec('DROP TABLE IF EXISTS sign_ins; VACUUM')
  } finally {
    copy.close()
  }
}

/** Makes the empty file of a copy. */
function makeCopy(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if (!existsSync(path)) throw unwritableCopy(path, error)
    throw new AccessError('invalid', `There is already a file ${path}. Choose another name for the copy.`)
  }
}

const unwritableCopy = (path: string, error: unknown): AccessError =>
  new AccessError('invalid', `The copy ${path} can't be written: ${reasonOf(error)}.`)

function flushFile(path: string): void {
  const file = openSync(path, 'r+')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
