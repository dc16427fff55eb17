import { statSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import type { KeyStore, SignInStore, UsageStore } from '@petals-chat/access'
import type { Logger } from '@petals-chat/engine'
import { asksForKeys } from '@petals-chat/gateway/config'
import { expandHome } from '@petals-chat/hub/config'
import type { LoadedConfig } from '../config/load.ts'
import { CommandError } from '../exit-codes.ts'

type Located = Pick<LoadedConfig, 'config' | 'baseFolder'>

/** The open file of keys, of what they have used, and of who is signed in. */
export interface OpenKeys extends Disposable {
  readonly keys: KeyStore
  /** What the keys have used. */
  readonly usage: UsageStore
  /** Who is signed in on the page. */
  readonly signIns: SignInStore
  /** Copies the file to `path`, which must not exist. @throws AccessError that names `path` */
  backUp(path: string): void
}

/** The file of keys; a relative path starts at the folder of the configuration file. */
export const keyFileOf = ({ config, baseFolder }: Located): string =>
  path.resolve(baseFolder, expandHome(config.server.access.file, homedir()))

/**
 * Opens the file of a server that asks who its callers are; SQLite is loaded for no other. A server that asks for keys does
 * not start without the file. One that has another sign-in only keeps sign-ins and usage there: without the file it warns,
 * and keeps both in memory.
 */
export async function openServerKeys(loaded: Located, logger: Logger): Promise<OpenKeys | undefined> {
  const { server } = loaded.config
  if (asksForKeys(server, { hasKeys: !isKeyFileMissing(keyFileOf(loaded)) })) return openKeys(loaded)
  if (server.signIn.openid === undefined && server.signIn.proxy === undefined) return undefined
  try {
    return await openKeys(loaded)
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    logger.warn(
      {},
      `${error.message} Until then, who is signed in and what people use is forgotten at a restart.`,
    )
    return undefined
  }
}

/** Reports whether there is no file of keys. One that may not be looked at is there: without its keys, the server must not start. */
export function isKeyFileMissing(file: string): boolean {
  try {
    return statSync(file, { throwIfNoEntry: false }) === undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOTDIR'
  }
}

/**
 * Says in words why a file of keys could not be read or changed: locked, full, damaged. Other errors are returned as they are.
 */
export const databaseFailure = (error: unknown, file: string): unknown =>
  error instanceof Error && 'code' in error && error.code === 'ERR_SQLITE_ERROR'
    ? new CommandError(
        `The file of API keys, ${file}, can't be used: ${error.message}. Nothing was changed. Try again when no other ` +
          'program uses the file and its disk has space.',
      )
    : error

/** Opens the file of keys, and makes it if it does not exist. @throws CommandError that names the file */
export async function openKeys(loaded: Located): Promise<OpenKeys> {
  const { AccessError, KeyStore, SignInStore, UsageStore } = await import('@petals-chat/access')
  const { backUpAccessDatabase, openAccessDatabase } = await import('@petals-chat/access/database')
  try {
    const database = openAccessDatabase(keyFileOf(loaded))
    const stores = {
      keys: new KeyStore(database, { maxMadeKeys: loaded.config.server.access.maxMadeKeys }),
      usage: new UsageStore(database),
      signIns: new SignInStore(database),
    }
    const backUp = (path: string): void => backUpAccessDatabase(database, path)
    return { ...stores, backUp, [Symbol.dispose]: () => database.close() }
  } catch (error) {
    if (error instanceof AccessError) throw new CommandError(error.message)
    throw databaseFailure(error, keyFileOf(loaded))
  }
}
