import { InvalidRequestError } from '../errors.ts'

/** Deeper schemas are no work of people. */
const MAX_DEPTH = 64
const REFERENCE = /^#\/(?:\$defs|definitions)\/(.+)$/

/**
 * A JSON schema that can stand within another one: its definitions go to `definitions`, under names that begin with
 * `prefix`, and its references follow them. (References count from the root: `#/$defs/City`.)
 */
export function withHoistedDefinitions(
  schema: unknown,
  prefix: string,
  definitions: Record<string, unknown>,
): unknown {
  if (typeof schema !== 'object' || schema === null) return schema
  const { $defs = {}, definitions: older = {}, ...rest } = schema as Record<string, unknown>
  const own = { ...(older as object), ...($defs as object) }
  for (const [name, definition] of Object.entries(own)) {
    definitions[`${prefix}.${name}`] = withRenamedReferences(definition, prefix)
  }
  return withRenamedReferences(rest, prefix)
}

function withRenamedReferences(node: unknown, prefix: string, depth = 0): unknown {
  if (depth > MAX_DEPTH) {
    throw new InvalidRequestError(`The parameters of the function '${prefix}' are nested too deeply.`, {
      param: 'tools',
    })
  }
  if (Array.isArray(node)) return node.map((item) => withRenamedReferences(item, prefix, depth + 1))
  if (typeof node !== 'object' || node === null) return node
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => {
      const name = key === '$ref' && typeof value === 'string' ? REFERENCE.exec(value)?.[1] : undefined
      return [
        key,
        name === undefined ? withRenamedReferences(value, prefix, depth + 1) : `#/$defs/${prefix}.${name}`,
      ]
    }),
  )
}
