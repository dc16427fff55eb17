import { nearest } from './nearest.ts'
import type { ConfigProblem, KeyPath, Origin } from './problem.ts'
import { keyJsonSchema } from './schema.ts'
import { valueFromText } from './schema-tree.ts'
import { configSettings, flagKey, flagName, settings } from './settings.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Values of flags by `flagKey`, as commander gives them. */
export type Flags = Readonly<Record<string, unknown>>

/** A value from outside the file that takes the place of the file's. */
export interface Override {
  readonly path: KeyPath
  readonly value: unknown
  readonly origin: Origin
}

/** Returns the values that flags and the environment set; at most one for each key, the flag's if both set it. */
export function findOverrides(flags: Flags, environment: Environment): readonly Override[] {
  return configSettings.flatMap((setting) => {
    const { path, variable } = setting
    const flag = flags[flagKey(setting)]
    const text = flag === undefined ? environment[variable] : flag === true ? setting.implied : String(flag)
    if (text === undefined || (flag === undefined && isUnset(text))) return []
    const origin: Origin =
      flag === undefined ? { kind: 'environment', name: variable } : { kind: 'flag', name: flagName(setting) }
    return [{ path, value: valueFromText(text, keyJsonSchema(path) ?? {}), origin }]
  })
}

const prefix = 'PETALS_CHAT_'
const knownVariables = settings.map(({ variable }) => variable)

/**
 * Kubernetes sets such variables in every pod for a service named petals-chat, PETALS_CHAT_PORT among them. They are not
 * settings of this program. (Documentation of Kubernetes, "Service environment variables".)
 */
const serviceLink = /^PETALS_CHAT_(SERVICE_|PORT_\d)/
const serviceLinkValue = /^(tcp|udp|sctp):\/\//

/** Compose files and shells use an empty variable for "not set". */
const isUnset = (text: string) => text === '' || serviceLinkValue.test(text)

/** Finds variables with the program's prefix that are not settings: a warning is better than a silently ignored setting. */
export function findUnknownVariables(environment: Environment): readonly ConfigProblem[] {
  return Object.keys(environment)
    .filter((name) => name.startsWith(prefix) && !knownVariables.includes(name) && !serviceLink.test(name))
    .map((name) => {
      const near = nearest(
        name.slice(prefix.length),
        knownVariables.map((known) => known.slice(prefix.length)),
      )
      const hint =
        near === undefined ? `Known ones: ${knownVariables.join(', ')}.` : `Did you mean ${prefix}${near}?`
      return {
        origin: { kind: 'environment', name },
        path: [],
        message: `this variable is not known and has no effect. ${hint}`,
      }
    })
}
