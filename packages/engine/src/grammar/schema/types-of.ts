import { notEnum, notPattern } from './negation.ts'
import { nodeAt, type PlainNode, schemaError, Unsatisfiable } from './schema-node.ts'

const known = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null']

/** The type that a keyword implies if a schema has no `type`. */
const keywordTypes: ReadonlyArray<readonly [type: string, keywords: readonly string[]]> = [
  [
    'object',
    'properties required additionalProperties patternProperties propertyNames minProperties maxProperties unevaluatedProperties'.split(
      ' ',
    ),
  ],
  [
    'array',
    'items prefixItems minItems maxItems uniqueItems contains minContains maxContains additionalItems unevaluatedItems'.split(
      ' ',
    ),
  ],
  ['string', ['minLength', 'maxLength', 'pattern', 'format']],
  ['number', ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf']],
]

/** Returns the types that all schemas allow; undefined if they do not restrict them. @throws Unsatisfiable if there are none */
export function typesOf(nodes: readonly PlainNode[]): readonly string[] | undefined {
  let types: readonly string[] | undefined
  for (const node of nodes) {
    const own = ownTypes(node)
    if (!own) continue
    types = types ? common(types, own) : own
    if (types.length === 0) throw new Unsatisfiable(nodeAt(node, 'type', own), 'requires two types at once')
  }
  return types ?? impliedTypes(nodes)
}

function ownTypes(node: PlainNode): readonly string[] | undefined {
  const { type } = node.schema
  if (type === undefined) return undefined
  const place = nodeAt(node, 'type', type)
  const list = [type].flat()
  if (list.length === 0) throw schemaError(place, 'is an empty list')
  const wrong = list.find((each) => !known.includes(each as string))
  if (wrong !== undefined) throw schemaError(place, `is not a type of JSON: ${JSON.stringify(wrong)}`)
  return [...new Set(list as string[])].filter((each) => each !== 'integer' || !list.includes('number'))
}

function common(left: readonly string[], right: readonly string[]): readonly string[] {
  const both = left.filter((type) => right.includes(type))
  const areNumbers = [left, right].every((types) => types.includes('number') || types.includes('integer'))
  return areNumbers && !both.includes('number') && !both.includes('integer') ? [...both, 'integer'] : both
}

function impliedTypes(nodes: readonly PlainNode[]): readonly string[] | undefined {
  const implied = keywordTypes.find(([, keywords]) =>
    nodes.some(({ schema }) => keywords.some((key) => key in schema)),
  )
  if (implied) return [implied[0]]
  const isExcluding = nodes.some(({ schema }) => notEnum in schema || notPattern in schema)
  return isExcluding ? ['string'] : undefined
}
