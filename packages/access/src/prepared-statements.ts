import type { DatabaseSync, StatementSync } from 'node:sqlite'

/** Returns a function that gives the prepared statement of a name, and prepares each one when it is first needed. */
export function preparedStatements<Name extends string>(
  database: DatabaseSync,
  statements: Readonly<Record<Name, string>>,
): (name: Name) => StatementSync {
  const prepared = new Map<Name, StatementSync>()
  return (name) => {
    const known = prepared.get(name)
    if (known !== undefined) return known
    const statement = database.prepare(statements[name])
    prepared.set(name, statement)
    return statement
  }
}
