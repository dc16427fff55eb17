import type { z } from 'zod'
import { nearest } from './nearest.ts'
import { formatKeyPath, type ConfigProblem, type KeyPath, type Origin } from './problem.ts'
import {
  conditionOf,
  describeAllowed,
  knownKeys,
  schemaAt,
  walkKeys,
  type SchemaNode,
} from './schema-tree.ts'

export type Issue = z.core.$ZodIssue

export interface DescribeOptions {
  readonly schema: SchemaNode
  readonly origin: (path: KeyPath, part: 'key' | 'value') => Origin
  readonly value: (path: KeyPath) => unknown
  /** Text to show instead of a value: `${NAME}` as it is in the file, or that it is a secret. */
  readonly standIn: (path: KeyPath) => string | undefined
}

export interface ValidationProblem extends ConfigProblem {
  readonly kind: 'unknown-key' | 'missing-key' | 'wrong-value'
}

/** Turns a schema's issues into one problem for each key at fault. */
export function describeIssues(
  issues: readonly Issue[],
  options: DescribeOptions,
): readonly ValidationProblem[] {
  const problems = new Map<string, ValidationProblem>()
  for (const problem of issues.flatMap((issue) => describeIssue(issue, [], options))) {
    const key = formatKeyPath(problem.path)
    if (!problems.has(key)) problems.set(key, problem)
  }
  return [...problems.values()]
}

function describeIssue(
  issue: Issue,
  prefix: KeyPath,
  options: DescribeOptions,
): readonly ValidationProblem[] {
  const path = [...prefix, ...(issue.path as KeyPath)]
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => describeUnknownKey([...path, key], key, path, options))
  }
  if (issue.code === 'invalid_union') {
    // The alternative that matched furthest into the value is probably the intended one.
    const deep = issue.errors.find((errors) => errors.some((error) => error.path.length > 0))
    if (deep !== undefined) return deep.flatMap((error) => describeIssue(error, path, options))
  }
  return [describeValueProblem(issue, path, options)]
}

function describeUnknownKey(
  path: KeyPath,
  key: string,
  parent: KeyPath,
  options: DescribeOptions,
): ValidationProblem {
  const node = schemaAt(options.schema, parent) ?? {}
  const origin = options.origin(path, 'key')
  const condition = conditionOf(node, key)
  if (condition !== undefined)
    return { origin, path, message: `only entries with ${condition} can have this key.`, kind: 'unknown-key' }
  const siblings = knownKeys(node)
  const near = nearest(key, siblings)
  const meant = near === undefined ? findElsewhere(options.schema, key) : [near]
  const hint = meant.length === 0 ? '' : ` Did you mean ${meant.map((name) => `'${name}'`).join(' or ')}?`
  const message = `there is no such key.${hint} Known keys here: ${siblings.join(', ')}.`
  return { origin, path, message, kind: 'unknown-key' }
}

/** Returns keys of the same name in other sections: `port` on the top level is probably meant as `server.port`. */
function findElsewhere(schema: SchemaNode, key: string): readonly string[] {
  return [...walkKeys(schema)]
    .filter(({ path }) => path.at(-1) === key)
    .map(({ path }) => formatKeyPath(path).replaceAll('[0]', '[…]'))
}

function describeValueProblem(issue: Issue, path: KeyPath, options: DescribeOptions): ValidationProblem {
  const node = schemaAt(options.schema, path)
  const allowed = node === undefined ? '' : `; it must be ${describeAllowed(node)}`
  const value = options.value(path)
  const origin = options.origin(path, 'value')
  if (value === undefined && issue.code !== 'custom') {
    return { origin, path, message: `this key is missing${allowed}.`, kind: 'missing-key' }
  }
  const shown = options.standIn(path) ?? describeValue(value)
  if (issue.code === 'custom') {
    const message = isBare(issue.message)
      ? `${shown} is not allowed: ${issue.message.replace(/\.?$/, '.')}`
      : issue.message
    return { origin, path, message, kind: 'wrong-value' }
  }
  if (hasOwnMessage(issue))
    return { origin, path, message: `${shown} is not allowed: ${issue.message}.`, kind: 'wrong-value' }
  return {
    origin,
    path,
    message: `${shown} is not allowed${allowed}.${suggestion(value, node)}`,
    kind: 'wrong-value',
  }
}

/** Reports whether a message of a schema of ours says only what is expected, not what was found. */
const isBare = (message: string): boolean => message.startsWith('must be ')

/** A pattern is of little help to users; if the schema has a message in words, that is shown instead. */
const hasOwnMessage = (issue: Issue) =>
  issue.code === 'invalid_format' && !issue.message.startsWith('Invalid')

function suggestion(value: unknown, node: SchemaNode | undefined): string {
  const alternatives = node?.anyOf ?? (node === undefined ? [] : [node])
  const options = alternatives.flatMap((alternative) => alternative.enum ?? alternative.const ?? [])
  const near = typeof value === 'string' ? nearest(value, options.map(String)) : undefined
  return near === undefined ? '' : ` Did you mean '${near}'?`
}

/** Maximum length in characters of a wrong value in a message. */
const shownLength = 60

/** Hides user and password of an address: where they are refused, they may still be the right ones. */
function withoutLogin(text: string): string {
  const [scheme] = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text) ?? ['']
  const end = text.lastIndexOf('@')
  const login = text.slice(scheme.length, Math.max(end, 0))
  return login !== '' && (scheme !== '' || login.includes(':')) ? `${scheme}…${text.slice(end)}` : text
}

function describeValue(value: unknown): string {
  if (value === null) return 'an empty value'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'object') return 'a mapping'
  if (typeof value === 'string') {
    const text = withoutLogin(value)
    return `'${text.length > shownLength ? `${text.slice(0, shownLength)}…` : text}'`
  }
  return String(value)
}
