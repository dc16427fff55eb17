import path from 'node:path'
import type { Environment, Override } from './overrides.ts'
import { isRecord } from './tree.ts'

const variable = 'XDG_DATA_HOME'

/** `XDG_DATA_HOME` changes the default of `server.access.file`: it is where programs keep their users' data. */
export function findAccessOverrides(server: unknown, environment: Environment): readonly Override[] {
  const dataHome = environment[variable]?.trim() ?? ''
  const access = isRecord(server) ? server.access : undefined
  const isSet = isRecord(access) && access.file !== undefined
  if (dataHome === '' || isSet) return []
  const value = path.join(path.resolve(dataHome), 'petals-chat', 'access.sqlite')
  return [{ path: ['server', 'access', 'file'], value, origin: { kind: 'environment', name: variable } }]
}

/** Returns the variables that change the default of a key of the section `server`. */
export const serverVariablesOf = (key: string): readonly string[] => (key === 'access.file' ? [variable] : [])
