import { hubConfigFromEnvironment, type HubConfigInput } from '@petals-chat/hub'
import type { Environment, Override } from './overrides.ts'
import { isRecord } from './tree.ts'

/** Variables of `huggingface_hub` that may have set a key, by precedence (`hubConfigFromEnvironment`). */
const variables: Readonly<Record<string, readonly string[]>> = {
  endpoint: ['HF_ENDPOINT'],
  token: ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN', 'HF_TOKEN_PATH'],
  tokenPath: ['HF_TOKEN_PATH', 'HF_HOME', 'XDG_CACHE_HOME'],
  cacheDir: ['HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'HF_HOME', 'XDG_CACHE_HOME'],
  wheelCacheDir: ['XDG_CACHE_HOME'],
  offline: ['HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE'],
}

/** All environment variables that affect the `hub:` section. */
export const hubVariables: readonly string[] = [...new Set(Object.values(variables).flat())]

/** Returns the changes that the `HF_…` variables make to the file's `hub:` section; none if the section is not a mapping. */
export function findHubOverrides(section: unknown, environment: Environment): readonly Override[] {
  if (section !== undefined && !isRecord(section)) return []
  const before = section ?? {}
  const after = hubConfigFromEnvironment(environment, before as HubConfigInput) as Readonly<
    Record<string, unknown>
  >
  return Object.entries(after).flatMap(([key, value]) => {
    if (value === before[key]) return []
    const name = variables[key]?.find((variable) => (environment[variable]?.trim() ?? '') !== '')
    return [
      {
        path: ['hub', key],
        value,
        origin: name === undefined ? { kind: 'default' } : { kind: 'environment', name },
      },
    ]
  })
}

/** Returns the variables that take precedence over a key of the section. */
export const hubVariablesOf = (key: string): readonly string[] => variables[key] ?? []
