import path from 'node:path'
import type { Environment, Override } from './overrides.ts'
import { isRecord } from './tree.ts'

const variable = 'XDG_CACHE_HOME'

/** `XDG_CACHE_HOME` changes the default of `swarm.cacheDir`, as it changes those of the `hub:` section. */
export function findSwarmOverrides(section: unknown, environment: Environment): readonly Override[] {
  const cacheHome = environment[variable]?.trim() ?? ''
  const isSet = isRecord(section) && section.cacheDir !== undefined
  if (cacheHome === '' || isSet) return []
  const value = path.join(path.resolve(cacheHome), 'petals-chat', 'swarm')
  return [{ path: ['swarm', 'cacheDir'], value, origin: { kind: 'environment', name: variable } }]
}

/** Returns the variables that change the default of a key of the section. */
export const swarmVariablesOf = (key: string): readonly string[] => (key === 'cacheDir' ? [variable] : [])
