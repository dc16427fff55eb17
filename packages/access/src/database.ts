import { AccessDatabase } from './access-database.ts'

export type { AccessDatabase } from './access-database.ts'
export { backUpAccessDatabase } from './back-up.ts'

/**
 * Opens the file of keys and usage, and makes it if it does not exist: readable by its user alone. Several processes may
 * have it open; each table belongs to the module that uses it.
 * @param path of the file, or `:memory:`.
 * @throws AccessError that names the file, also if a newer program has written it.
 */
export const openAccessDatabase = (path: string): AccessDatabase => new AccessDatabase(path)
