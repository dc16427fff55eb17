import type { z } from 'zod'

type Issue = z.core.$ZodIssue
type UnionIssue = z.core.$ZodIssueInvalidUnion
type Path = readonly PropertyKey[]

/** The fault of one field, in OpenAI's words. */
export interface RequestFault {
  readonly message: string
  /** `messages[0].content`; undefined for the body as a whole. */
  readonly param: string | undefined
  readonly reason: string
}

/** Passed to zod as the message of every issue, to distinguish messages written in a schema from zod's own. */
export const noMessage = '\0'

/** Fields that accept fractions: OpenAI's error codes distinguish decimals from integers. */
const decimals = /^(temperature|top_p|min_p|\w+_penalty|logit_bias)\b/

/** Describes the first fault of a body that a schema refused. */
export function describeIssues(issues: readonly Issue[]): RequestFault {
  const issue = innermost(issues[0]!)
  if (issue.code === 'unrecognized_keys') return unknownField(formatPath([...issue.path, issue.keys[0]!])!)
  const param = formatPath(issue.path)
  const written = issue.code === 'invalid_key' ? issue.issues[0]?.message : issue.message
  const { message, reason } = describe(issue, param)
  return { message: written && written !== noMessage ? written : message, param, reason }
}

/** Describes an unknown field in the words of OpenAI's API. */
export const unknownField = (path: string): RequestFault => {
  const param = path.length > 200 ? `${path.slice(0, 200)}…` : path
  return { message: `Unknown parameter: '${param}'.`, param, reason: 'unknown_parameter' }
}

/** The fault of the alternative that matches the value best, if any matches partly. */
function innermost(issue: Issue): Issue {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return issue
  const near = issue.errors.filter(
    ([first]) => first && !(first.code === 'invalid_type' && first.path.length === 0),
  )
  if (near.length === 0) return issue
  const best = near.reduce((left, right) => (distance(right) < distance(left) ? right : left))
  const inner = innermost(best[0]!)
  return { ...inner, path: [...issue.path, ...inner.path] }
}

/** An alternative matches better the deeper its first fault lies and the fewer faults it has. */
const distance = (issues: readonly Issue[]): number => issues.length - 1000 * issues[0]!.path.length

function describe(issue: Issue, param: string | undefined): Omit<RequestFault, 'param'> {
  const field = param === undefined ? 'the request body' : `'${param}'`
  switch (issue.code) {
    case 'invalid_type':
      return mistyped(field, expectedTypes([issue.expected]), issue.input)
    case 'invalid_union':
      return issue.errors.length > 0
        ? mistyped(field, unionTypes(issue), issue.input)
        : undiscriminated(field, issue)
    case 'invalid_value':
      return unknownValue(field, issue.input, issue.values)
    case 'too_big':
      return outOfRange(field, param, issue.origin, issue.inclusive ? '<=' : '<', issue.maximum, issue.input)
    case 'too_small':
      return outOfRange(field, param, issue.origin, issue.inclusive ? '>=' : '>', issue.minimum, issue.input)
    default:
      return { message: `Invalid value for ${field}.`, reason: 'invalid_value' }
  }
}

function mistyped(field: string, expected: string, input: unknown): Omit<RequestFault, 'param'> {
  if (input === undefined) return missing(field)
  const isNumber = typeof input === 'number' && !Number.isNaN(input)
  const got = isNumber ? numberInWords(input, expected) : article(typeOf(input))
  return {
    message: `Invalid type for ${field}: expected ${expected}, but got ${got} instead.`,
    reason: 'invalid_type',
  }
}

/** JSON can write numbers that are too large for this program: `1e999` becomes infinite. */
function numberInWords(value: number, expected: string): string {
  if (!Number.isFinite(value)) return 'one that is too large'
  return expected === 'an integer' ? `the number ${value}` : 'a number'
}

const missing = (field: string) => ({
  message: `Missing required parameter: ${field}.`,
  reason: 'missing_required_parameter',
})

function undiscriminated(field: string, issue: UnionIssue): Omit<RequestFault, 'param'> {
  const key = issue.path.at(-1)
  const value = (issue.input as Record<PropertyKey, unknown> | undefined)?.[key!]
  return unknownValue(field, value, (issue as { options?: readonly z.core.util.Primitive[] }).options ?? [])
}

function unknownValue(
  field: string,
  input: unknown,
  values: readonly z.core.util.Primitive[],
): Omit<RequestFault, 'param'> {
  if (input === undefined) return missing(field)
  const known = values.map((value) => `'${String(value)}'`).join(', ')
  return {
    message: `Invalid value for ${field}: ${excerpt(input)}. Supported values are: ${known}.`,
    reason: 'invalid_value',
  }
}

function outOfRange(
  field: string,
  param: string | undefined,
  origin: string,
  relation: '<=' | '<' | '>=' | '>',
  limit: number | bigint,
  input: unknown,
): Omit<RequestFault, 'param'> {
  const above = relation.startsWith('<')
  if (origin === 'array' || origin === 'string') {
    const length = (input as { readonly length: number } | undefined)?.length
    return {
      message: `Invalid ${field}: expected ${origin} of length ${relation} ${limit}, but got ${length} instead.`,
      reason: length === 0 ? `empty_${origin}` : `${origin}_${above ? 'above_max' : 'below_min'}_length`,
    }
  }
  const kind = decimals.test(param ?? '') ? 'decimal' : 'integer'
  return {
    message: `Invalid ${field}: expected ${article(kind)} ${relation} ${limit}, but got ${excerpt(input)} instead.`,
    reason: `${kind}_${above ? 'above_max' : 'below_min'}_value`,
  }
}

const unionTypes = (issue: UnionIssue): string =>
  expectedTypes(issue.errors.map(([first]) => (first?.code === 'invalid_type' ? first.expected : 'value')))

const expectedTypes = (types: readonly string[]): string =>
  [...new Set(types)]
    .map((type) => article(type === 'int' ? 'integer' : type === 'record' ? 'object' : type))
    .join(' or ')

const article = (noun: string): string =>
  noun === 'null' ? noun : `${/^[aeio]/.test(noun) ? 'an' : 'a'} ${noun}`

const typeOf = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'array' : Number.isNaN(value) ? 'NaN' : typeof value

const excerpt = (value: unknown): string => {
  const json = typeof value === 'string' ? `'${value}'` : (JSON.stringify(value) ?? String(value))
  return json.length > 100 ? `${json.slice(0, 100)}…` : json
}

function formatPath(path: Path): string | undefined {
  if (path.length === 0) return undefined
  return path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key).slice(0, 64)}`))
    .join('')
    .replace(/^\./, '')
}
