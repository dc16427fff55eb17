import { isAlias, isMap, isScalar, isSeq, type Node } from 'yaml'
import type { ConfigProblem, KeyPath, Origin } from './problem.ts'
import { describeSyntaxError, parseText, type ParsedDocument, type ParsedText } from './yaml-syntax.ts'

/** A parsed petals-chat.yaml: its data, and the place of each key and value. */
export interface YamlFile {
  readonly data: unknown
  /** Violations of the YAML language; at most one problem for each line. */
  readonly problems: readonly ConfigProblem[]
  /** From this line on, the data may be misread (Infinity if the whole file is valid). */
  readonly firstBrokenLine: number
  /** Returns the place of a key or its value; for a missing key, the place where it would belong. */
  locate(path: KeyPath, part: 'key' | 'value'): FileOrigin
  /** Returns whether a value was written without quotes, so that `${NAME}` in it may become a number. */
  isPlain(path: KeyPath): boolean
}

export type FileOrigin = Extract<Origin, { kind: 'file' }>

/** Reads YAML 1.2 text; `name` is the name of the file in messages. Never throws: mistakes are in `problems`. */
export function parseYaml(name: string, text: string): YamlFile {
  const parsed = parseText(text)
  const { doc } = parsed
  const at = (offset: number): FileOrigin => ({ kind: 'file', file: name, ...parsed.place(offset) })
  const problems = findProblems(name, parsed)
  const fatal = doc.errors.filter(({ code }) => code !== 'DUPLICATE_KEY')
  const { data, failure } = toData(doc)
  return {
    data,
    problems: failure === undefined ? problems : [...problems, { origin: at(0), path: [], message: failure }],
    firstBrokenLine: fatal.reduce((first, { pos }) => Math.min(first, parsed.place(pos[0]).line), Infinity),
    locate: (path, part) => at(findOffset(doc, path, part)),
    isPlain: (path) => {
      const node = path.reduce<unknown>((parent, key) => findChild(doc, parent, key)?.value, doc.contents)
      return isScalar(node) && node.type === 'PLAIN'
    },
  }
}

/** More mistakes are not read, and finding the words for each takes time. */
const MAX_PROBLEMS = 100

/** One mistake can cause several parser errors, so only the first error of each line is reported. */
function findProblems(file: string, parsed: ParsedText): readonly ConfigProblem[] {
  const problems = new Map<number, ConfigProblem>()
  const report = (line: number, column: number, message: string) => {
    if (!problems.has(line))
      problems.set(line, { origin: { kind: 'file', file, line, column }, path: [], message })
  }
  if (parsed.unparsed !== undefined) {
    const { line, column } = parsed.place(parsed.unparsed.offset)
    report(line, column, parsed.unparsed.message)
  }
  for (const line of [...parsed.tabLines].slice(0, MAX_PROBLEMS)) {
    report(line, 1, 'this line is indented with a tab. YAML allows only spaces here.')
  }
  for (const error of parsed.doc.errors.slice(0, MAX_PROBLEMS)) {
    const { line, column } = parsed.place(error.pos[0])
    report(line, column, describeSyntaxError(error, parsed))
  }
  return [...problems.values()]
}

/** Aliases that expand to more nodes are an attack or a mistake, not a configuration. */
const maxAliasCount = 100

function toData(doc: ParsedDocument): { readonly data: unknown; readonly failure?: string } {
  try {
    const data = doc.toJS({ maxAliasCount }) as unknown
    return isTree(data)
      ? { data }
      : { data: undefined, failure: 'not valid here: a value contains itself, through an alias (*name).' }
  } catch (error) {
    return {
      data: undefined,
      failure: `not valid YAML: ${error instanceof Error ? error.message : String(error)}.`,
    }
  }
}

/** Reports whether no value contains itself, so that the data can be walked through. */
function isTree(value: unknown, above: ReadonlySet<unknown> = new Set()): boolean {
  if (typeof value !== 'object' || value === null) return true
  return !above.has(value) && Object.values(value).every((child) => isTree(child, new Set([...above, value])))
}

/** Goes one step down the tree. The last one of duplicate keys counts, as in the data. */
function findChild(doc: ParsedDocument, parent: unknown, key: string | number) {
  const node = isAlias(parent) ? parent.resolve(doc) : parent
  if (isSeq(node) && typeof key === 'number') return { value: node.items[key] }
  if (!isMap(node)) return undefined
  return node.items.findLast((pair) => String(isScalar(pair.key) ? pair.key.value : pair.key) === String(key))
}

function findOffset(doc: ParsedDocument, path: KeyPath, part: 'key' | 'value'): number {
  let node: unknown = doc.contents
  let offset = offsetOf(node) ?? 0
  for (const [depth, key] of path.entries()) {
    const child = findChild(doc, node, key)
    if (child === undefined) break
    const keyOffset = 'key' in child ? offsetOf(child.key) : undefined
    const isLast = depth === path.length - 1
    // A mapping begins at its first key, but users look for the name above it.
    const wantsKey = !isLast || part === 'key' || isMap(child.value)
    offset = (wantsKey ? keyOffset : undefined) ?? offsetOf(child.value) ?? keyOffset ?? offset
    node = child.value
  }
  return offset
}

const offsetOf = (node: unknown): number | undefined =>
  typeof node === 'object' && node !== null && 'range' in node ? (node as Node).range?.[0] : undefined
