import { isAlias, isMap, isScalar, isSeq } from 'yaml'
import type { Node } from 'yaml'
import type { ConfigProblem, KeyPath, Origin } from './problem.ts'
import { describeSyntaxError, parseText } from './yaml-syntax.ts'
import type { ParsedDocument, ParsedText } from './yaml-syntax.ts'

/** A parsed petals-chat.yaml: its data, and where each key and value stands. */
export interface YamlFile {
  readonly data: unknown
  /** What the YAML language itself forbids; one problem a line. */
  readonly problems: readonly ConfigProblem[]
  /** From this line on the data may not be what was meant (Infinity if all of it is sound). */
  readonly firstBrokenLine: number
  /** Where a key or its value stands; for a key that is missing, where it would belong. */
  locate(path: KeyPath, part: 'key' | 'value'): FileOrigin
  /** Whether a value was written without quotes, so that `${NAME}` in it may become a number. */
  isPlain(path: KeyPath): boolean
}

export type FileOrigin = Extract<Origin, { kind: 'file' }>

/** Reads YAML 1.2 text; `name` is the file's in messages. Never throws: what is wrong is in `problems`. */
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
    firstBrokenLine: Math.min(Infinity, ...fatal.map(({ pos }) => parsed.place(pos[0]).line)),
    locate: (path, part) => at(findOffset(doc, path, part)),
    isPlain: (path) => {
      const node = path.reduce<unknown>((parent, key) => findChild(doc, parent, key)?.value, doc.contents)
      return isScalar(node) && node.type === 'PLAIN'
    },
  }
}

/** One mistake makes a parser stumble more than once: the first complaint of a line is the one to read. */
function findProblems(file: string, parsed: ParsedText): readonly ConfigProblem[] {
  const problems = new Map<number, ConfigProblem>()
  const report = (line: number, column: number, message: string) => {
    if (!problems.has(line))
      problems.set(line, { origin: { kind: 'file', file, line, column }, path: [], message })
  }
  for (const line of parsed.tabLines) {
    report(line, 1, 'this line is indented with a tab. YAML allows only spaces here.')
  }
  for (const error of parsed.doc.errors) {
    const { line, column } = parsed.place(error.pos[0])
    report(line, column, describeSyntaxError(error, parsed))
  }
  return [...problems.values()]
}

/** Aliases that unfold to more than so many nodes are an attack or a slip, not a configuration. */
const maxAliasCount = 100

function toData(doc: ParsedDocument): { readonly data: unknown; readonly failure?: string } {
  try {
    return { data: doc.toJS({ maxAliasCount }) as unknown }
  } catch (error) {
    return {
      data: undefined,
      failure: `not valid YAML: ${error instanceof Error ? error.message : String(error)}.`,
    }
  }
}

/** One step down the tree. Of a key that is there twice the last one counts, as in the data. */
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
    // A mapping begins at its first key; people look for the name above it.
    const wantsKey = !isLast || part === 'key' || isMap(child.value)
    offset = (wantsKey ? keyOffset : undefined) ?? offsetOf(child.value) ?? keyOffset ?? offset
    node = child.value
  }
  return offset
}

const offsetOf = (node: unknown): number | undefined =>
  typeof node === 'object' && node !== null && 'range' in node ? (node as Node).range?.[0] : undefined
