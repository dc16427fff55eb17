import {
  LineCounter,
  isMap,
  isScalar,
  isSeq,
  parseDocument,
  type Document,
  type ParsedNode,
  type YAMLError,
} from 'yaml'
import { findOutOfBounds, type OutOfBounds } from './yaml-bounds.ts'

export type ParsedDocument = Document.Parsed<ParsedNode>

/** A parsed text, with the places of its offsets in the user's text. Lines and columns start at 1. */
export interface ParsedText {
  readonly doc: ParsedDocument
  /** Lines that are indented with a tab, which YAML forbids. */
  readonly tabLines: ReadonlySet<number>
  /** Why the text was not parsed: then `doc` is empty. */
  readonly unparsed: OutOfBounds | undefined
  place(offset: number): { readonly line: number; readonly column: number }
}

/** Parses a text. Tabs are replaced by spaces, because a tab would hide the other mistakes after it. */
export function parseText(text: string): ParsedText {
  const outOfBounds = findOutOfBounds(text)
  return outOfBounds === undefined ? parseBounded(text) : unparsed(text, outOfBounds)
}

function unparsed(text: string, reason: OutOfBounds): ParsedText {
  const before = text.slice(0, reason.offset).split('\n')
  const place = { line: before.length, column: before.at(-1)!.length + 1 }
  return { doc: parse('').doc, tabLines: new Set(), unparsed: reason, place: () => place }
}

function parseBounded(text: string): ParsedText {
  const first = parse(text)
  const tabs = first.doc.errors.filter(({ code }) => code === 'TAB_AS_INDENT')
  const tabLines = new Set(tabs.map(({ pos }) => first.lines.linePos(pos[0]).line))
  const shifts = new Map<number, number>()
  const { doc, lines } = tabLines.size === 0 ? first : parse(replaceTabs(text, tabLines, shifts))
  return {
    doc,
    tabLines,
    unparsed: undefined,
    place: (offset) => {
      const { line, col } = lines.linePos(offset)
      return { line, column: Math.max(1, col - (shifts.get(line) ?? 0)) }
    },
  }
}

function parse(text: string): { readonly doc: ParsedDocument; readonly lines: LineCounter } {
  const lines = new LineCounter()
  // `merge`: entries of `models:` may share values with `<<: *name`.
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true, logLevel: 'error' })
  return { doc, lines }
}

/**
 * Gives lines that are indented with a tab the depth of the previous line, or one more level after a line that opens a
 * block. `shifts`: by how many columns each line grew.
 */
function replaceTabs(text: string, tabLines: ReadonlySet<number>, shifts: Map<number, number>): string {
  let previous = ''
  const repaired = text.split('\n').map((line, index) => {
    let result = line
    if (tabLines.has(index + 1)) {
      const depth = /^ *(- +)?/.exec(previous)![0].length + (previous.trimEnd().endsWith(':') ? 2 : 0)
      result = ' '.repeat(depth) + line.trimStart()
      shifts.set(index + 1, result.length - line.length)
    }
    if (result.trim() !== '') previous = result
    return result
  })
  return repaired.join('\n')
}

/** Describes a mistake in the YAML itself, for authors of configurations. */
export function describeSyntaxError(error: YAMLError, { doc, place }: ParsedText): string {
  switch (error.code) {
    case 'DUPLICATE_KEY': {
      const pair = findRepeatedKey(doc.contents, error.pos[0])
      if (pair === undefined) return 'this key appears twice. Keep one.'
      return `the key '${pair.key}' appears twice, first in line ${place(pair.firstOffset).line}. Keep one.`
    }
    case 'BLOCK_AS_IMPLICIT_KEY':
      return `not valid YAML: a second ': ' in one line. Put the value in quotes, or start a new line.`
    case 'BAD_DQ_ESCAPE':
      return `not valid YAML: in double quotes, '\\' begins a special character. Use single quotes, as in 'C:\\models\\a.gguf'.`
    case 'MULTIPLE_DOCS':
      return `a second document ('---') begins here. One file holds one configuration.`
    default:
      return `not valid YAML: ${error.message}.`
  }
}

/** Returns the key at `offset`, and its first place in the same mapping. */
function findRepeatedKey(node: unknown, offset: number): { key: string; firstOffset: number } | undefined {
  if (isMap(node)) {
    const keys = node.items.map(({ key }) => key).filter(isScalar)
    const here = keys.find((key) => key.range?.[0] === offset)
    const first = keys.find((key) => here !== undefined && key.value === here.value)
    if (here !== undefined && first?.range != null)
      return { key: String(here.value), firstOffset: first.range[0] }
  }
  const children = isMap(node) ? node.items.map(({ value }) => value) : isSeq(node) ? node.items : []
  for (const child of children) {
    const found = findRepeatedKey(child, offset)
    if (found !== undefined) return found
  }
  return undefined
}
