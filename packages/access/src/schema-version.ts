import type { DatabaseSync } from 'node:sqlite'
import { AccessError } from './access-error.ts'

/**
 * The version of the tables, in the file's `user_version`; 0 in files from before there were versions, whose tables are the
 * same. To be raised by each change that this program would misread in a file of the next one, such as a new limit of keys.
 */
export const SCHEMA_VERSION = 1

/**
 * Makes sure that this program understands the tables of a file, and notes their version in it.
 * @throws AccessError if a newer program has written the file, which is left as it is.
 */
export function checkSchemaVersion(database: DatabaseSync, path: string): void {
  const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version'])
  if (version > SCHEMA_VERSION)
    throw new AccessError(
      'invalid',
      `The file of API keys, ${path}, was written by a newer Petals Chat: its tables have version ${version}, ` +
        `and this program knows ${SCHEMA_VERSION}. Nothing was changed. Start the newer program again, or put back the ` +
        'copy from before the upgrade (docs/deployment.md, "Backup, upgrade, rollback"): keys that were made or revoked ' +
        'since then are then to be made or revoked again.',
    )
  if (version < SCHEMA_VERSION) database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`)
}
