import type { StatementSync } from 'node:sqlite'
import type { AccessDatabase } from './access-database.ts'

/**
 * Returns a function that gives the prepared statement of a name, and prepares each one when it is first needed; again if
 * another file has taken the place of the database's.
 */
export function preparedStatements<Name extends string>(
  database: AccessDatabase,
  statements: Readonly<Record<Name, string>>,
): (name: Name) => StatementSync {
  let connection: AccessDatabase['connection']
  let prepared = new Map<Name, StatementSync>()
  return (name) => {
    const current = database.connection
    if (connection !== current) [connection, prepared] = [current, new Map()]
    const known = prepared.get(name)
    if (known !== undefined) return known
    const statement = connection.prepare(statements[name])
    prepared.set(name, statement)
    return statement
  }
}
