import { formatModelSource } from '@petals-chat/engine'
import type { PetalsModelSpec } from '@petals-chat/petals/config'
import { stringify } from 'yaml'
import { loadConfig } from '../config/load.ts'
import { formatOrigin, type KeyPath, type Origin } from '../config/problem.ts'
import { isSecret } from '../config/secrets.ts'
import { isRecord } from '../config/tree.ts'
import type { CommandContext } from '../context.ts'

/** Prints the effective configuration, with the origin of each value; secrets are masked. */
export async function printConfig(context: CommandContext): Promise<void> {
  const { config, origin } = await loadConfig(context)
  const models = config.models.map((model) =>
    model.engine === 'upstream'
      ? model
      : {
          ...model,
          source: formatModelSource(model.source),
          ...(model.engine === 'petals' && draftOf(model)),
        },
  )
  const shown = mask({ ...config, models }, []) as Readonly<Record<string, unknown>>
  if (context.flags.json === true) {
    context.terminal.out(JSON.stringify(shown, null, 2))
    return
  }
  for (const line of describe(shown, [], origin)) context.terminal.out(line)
}

const draftOf = ({ speculation }: PetalsModelSpec) =>
  speculation?.draft && { speculation: { draft: formatModelSource(speculation.draft) } }

function mask(value: unknown, path: KeyPath): unknown {
  if (isSecret(path) && value !== undefined && !(Array.isArray(value) && value.length === 0))
    return '********'
  if (Array.isArray(value)) return value.map((entry, index) => mask(entry, [...path, index]))
  if (!isRecord(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, child]) => child !== undefined)
      .map(([key, child]) => [key, mask(child, [...path, key])]),
  )
}

/** Returns lines of YAML, with the origin of each value in a comment after it. */
function describe(
  value: Readonly<Record<string, unknown>>,
  path: KeyPath,
  origin: (path: KeyPath) => Origin,
): readonly string[] {
  const indent = '  '.repeat(path.length)
  return Object.entries(value).flatMap(([key, child]) => {
    const childPath = [...path, key]
    if (isRecord(child) && Object.keys(child).length > 0) {
      return [`${indent}${key}:`, ...describe(child, childPath, origin)]
    }
    const [first = '', ...rest] = stringify({ [key]: child }, { lineWidth: 0 })
      .trimEnd()
      .split('\n')
    const comment = `# ${formatOrigin(origin(childPath))}`
    return [`${indent}${first}  ${comment}`, ...rest.map((line) => `${indent}${line}`)]
  })
}
