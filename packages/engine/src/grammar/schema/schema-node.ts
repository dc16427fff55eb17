import { InvalidRequestError } from '../../errors.ts'

const MAX_PATH_LENGTH = 200

export type Schema = Readonly<Record<string, unknown>>

export const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A separate schema: references in it are relative to its root. */
export interface SchemaDocument {
  /** Its name in the request, such as `tools[0].function.parameters`; empty if it has none. */
  readonly name: string
  readonly root: unknown
  /** Refuse what a grammar can't express, instead of ignoring it. */
  readonly strict: boolean
}

/** A part of a document. `path` is its position, such as `$.properties.age`. */
export interface SchemaNode {
  readonly schema: unknown
  readonly path: string
  readonly document: SchemaDocument
}

/** A node whose schema has no `$ref`, `allOf` or other keyword that only joins schemas. */
export interface PlainNode extends SchemaNode {
  readonly schema: Schema
}

export const nodeAt = ({ path, document }: SchemaNode, key: string, schema: unknown): SchemaNode => ({
  schema,
  path: `${path}${key.startsWith('[') ? '' : '.'}${key}`,
  document,
})

/** Creates the error for a JSON schema, or a part of one, that can't be used. */
export function schemaError(
  { path, document }: Pick<SchemaNode, 'path' | 'document'>,
  problem: string,
): InvalidRequestError {
  const place = path.length > MAX_PATH_LENGTH ? `…${path.slice(-MAX_PATH_LENGTH)}` : path
  const schema = document.name === '' ? 'The JSON schema' : `The JSON schema in '${document.name}'`
  return new InvalidRequestError(`${schema} can't be used: ${place} ${problem}.`, {
    param: document.name === '' ? 'grammar' : document.name,
    reason: 'invalid_json_schema',
  })
}

/** No value fits. Such an alternative is dropped; it is an error only if no other alternative remains. */
export class Unsatisfiable extends Error {
  override readonly name = 'Unsatisfiable'
  readonly node: Pick<SchemaNode, 'path' | 'document'>
  readonly problem: string

  constructor(node: Pick<SchemaNode, 'path' | 'document'>, problem: string) {
    super(problem)
    this.node = node
    this.problem = problem
  }
}

/** Answers are shorter than this: a larger limit has no effect. */
const BEYOND_ANY_ANSWER = 1_000_000

/** Returns the strictest limits of a count in these schemas. An undefined `maximum` means no limit. */
export function limitsOf(
  nodes: readonly PlainNode[],
  [least, most]: readonly [string, string],
): { readonly minimum: number; readonly maximum: number | undefined } {
  let [minimum, maximum] = [0, Infinity]
  for (const node of nodes) {
    minimum = Math.max(minimum, countOf(node, least) ?? 0)
    maximum = Math.min(maximum, countOf(node, most) ?? Infinity)
  }
  if (minimum > maximum) throw new Unsatisfiable(nodes[0]!, `has ${least} above ${most}`)
  if (minimum > BEYOND_ANY_ANSWER)
    throw schemaError(nodes[0]!, `has ${least} ${minimum}, which is longer than any answer`)
  return { minimum, maximum: maximum > BEYOND_ANY_ANSWER ? undefined : maximum }
}

function countOf(node: PlainNode, key: string): number | undefined {
  const value = node.schema[key]
  if (value === undefined) return undefined
  if (typeof value === 'number' && value >= 0 && (Number.isInteger(value) || value === Infinity)) return value
  throw schemaError(nodeAt(node, key, value), 'must be a whole number, 0 or more')
}
