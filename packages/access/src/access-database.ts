import type { DatabaseSync } from 'node:sqlite'
import { AccessError } from './access-error.ts'
import {
  type FileLook,
  isSameLook,
  isWithoutLog,
  logOf,
  lookAt,
  removeLog,
  replaceByCopy,
} from './database-file.ts'
import { openConnection } from './open-connection.ts'
import { reasonOf } from './reason-of.ts'

/** Milliseconds between looks at the path: two of them have to be well within the second in which a revoked key is out. */
const LOOK_INTERVAL_MS = 100

interface OpenFile {
  readonly connection: DatabaseSync
  /** Undefined in memory. */
  readonly file: FileLook | undefined
  /** Undefined without a log. */
  readonly log: FileLook | undefined
}

/**
 * The file of keys and usage while it is open. If another file takes its place, such as a copy that was put back, it goes on
 * with that one; while there is none, or one that can't be read, each use fails with an AccessError `unavailable`.
 */
export class AccessDatabase implements Disposable {
  readonly #path: string
  readonly #tables: string[] = []
  #open: OpenFile | undefined
  #failure: AccessError | undefined
  #lastLook: FileLook | undefined
  #lookedAt = performance.now()
  #isClosed = false
  #generation = 0

  /** @throws AccessError */
  constructor(path: string) {
    this.#path = path
    this.#open = open(path)
  }

  /** Keep it no longer than for one piece of synchronous work. @throws AccessError `unavailable` */
  get connection(): DatabaseSync {
    const connection = this.#open?.connection
    if (connection?.isTransaction) return connection
    if (this.#isClosed) throw unavailable(this.#path, 'it was closed')
    if (this.#path !== ':memory:' && performance.now() - this.#lookedAt >= LOOK_INTERVAL_MS) this.#look()
    if (this.#failure !== undefined) throw this.#failure
    return this.#open!.connection
  }

  /** Changes when another file has taken the place of this one. */
  get generation(): number {
    return this.#generation
  }

  /** Makes tables that are missing, now and in each file that takes the place of this one. */
  provide(tables: string): void {
    this.connection.exec(tables)
    this.#tables.push(tables)
  }

  close(): void {
    this.#isClosed = true
    this.#leave()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #look(): void {
    this.#lookedAt = performance.now()
    try {
      this.#failure = this.#stateOf(lookAt(this.#path))
    } catch (error) {
      this.#failure = unavailable(this.#path, reasonOf(error))
    }
  }

  /** Returns why the file can't be used, if that is so. A file that is still being written is looked at again. */
  #stateOf(look: FileLook | undefined): AccessError | undefined {
    const isSettled = look !== undefined && isSameLook(look, this.#lastLook)
    this.#lastLook = look
    if (look === undefined) return unavailable(this.#path, 'it is gone')
    const isOurs = look.id === this.#open?.file?.id
    // On some network file systems SQLite can't make a log.
    const hasLog = this.#open?.log !== undefined
    const isOverwritten = isOurs && hasLog && isWithoutLog(this.#path)
    // Without our log, other processes would write one of their own.
    if (isOurs && !isOverwritten && lookAt(logOf(this.#path))?.id === this.#open?.log?.id) return undefined
    if (!isSettled) return this.#failure
    if (look.content.startsWith('0:')) return unavailable(this.#path, 'it is empty')
    if (isOverwritten) replaceByCopy(this.#path, look.id)
    this.#reopen()
    return undefined
  }

  /** @throws AccessError if the file is none of ours; then the next look tries again. */
  #reopen(): void {
    const { file, log } = this.#open ?? {}
    const isOther = file?.id !== lookAt(this.#path)?.id
    // The log was removed; what it had belongs into the file.
    if (!isOther) this.#open?.connection.exec('PRAGMA wal_checkpoint(PASSIVE)')
    this.#leave()
    if (isOther && log !== undefined && log.id === lookAt(logOf(this.#path))?.id) removeLog(this.#path)
    const opened = open(this.#path)
    for (const tables of this.#tables) opened.connection.exec(tables)
    this.#open = opened
    this.#generation += 1
  }

  #leave(): void {
    this.#open?.connection.close()
    this.#open = undefined
  }
}

function open(path: string): OpenFile {
  const connection = openConnection(path)
  if (path === ':memory:') return { connection, file: undefined, log: undefined }
  // The first read makes the log, which then stays as long as the file is open.
  connection.prepare('SELECT count(*) FROM sqlite_master').get()
  return { connection, file: lookAt(path), log: lookAt(logOf(path)) }
}

const unavailable = (path: string, reason: string): AccessError =>
  new AccessError(
    'unavailable',
    `The file of API keys, ${path}, can't be used: ${reason}. Put it back, or a copy; this program goes on with it.`,
  )
