import type { Nodes, RootContent } from 'mdast'
import { parseMarkdown } from './parse-markdown.ts'

/** A part of a text that is rendered separately. The joined texts of all blocks are the text. */
export interface Block {
  readonly text: string
  readonly nodes: readonly RootContent[]
}

/**
 * Divides a text into blocks with the parser. While the text grows, it is parsed again only from the first block that
 * can still change; the blocks before it are kept. A text with definitions (of links or footnotes) is one block,
 * since definitions apply to the whole text.
 */
export class GrowingBlocks {
  #text = ''
  #blocks: readonly Block[] = []
  #isWhole = false

  update(text: string): readonly Block[] {
    if (text === this.#text) return this.#blocks
    const grew = this.#text !== '' && text.startsWith(this.#text)
    if (!grew) this.#isWhole = false
    this.#blocks =
      (grew ? (this.#grownFence(text) ?? this.#grown(text)) : undefined) ?? this.#cut([], text, text.length)
    this.#text = text
    return this.#blocks
  }

  #grown(text: string): readonly Block[] | undefined {
    if (this.#isWhole) return undefined
    const kept = this.#blocks.slice(0, firstOpenBlock(this.#blocks, this.#text))
    const length = kept.reduce((sum, block) => sum + block.text.length, 0)
    return this.#cut(kept, text.slice(length), text.length)
  }

  /** Code that continues needs no parser. */
  #grownFence(text: string): readonly Block[] | undefined {
    const last = this.#blocks.at(-1)
    const opening =
      last?.nodes.length === 1 && last.nodes[0]?.type === 'code' ? openFence(last.text) : undefined
    if (!last || !opening) return undefined
    // A formula that began on the line above can still end inside the code and absorb it.
    if (this.#blocks.length > 1 && !endsWithBlankLine(this.#blocks.at(-2)!)) return undefined
    const grown = last.text + text.slice(this.#text.length)
    const lineStart = last.text.lastIndexOf('\n') + 1
    if (lineStart === 0 || opening.end.test(grown.slice(lineStart))) return undefined
    const value = grown.slice(grown.indexOf('\n') + 1).replace(/\n$/, '')
    return [
      ...this.#blocks.slice(0, -1),
      { text: grown, nodes: [{ ...last.nodes[0], value } as RootContent] },
    ]
  }

  #cut(kept: readonly Block[], text: string, wholeLength: number): readonly Block[] {
    const { children } = parseMarkdown(text)
    this.#isWhole = children.some(defines)
    if (!this.#isWhole) return [...kept, ...cutBlocks(text, children)].map(this.#known)
    // Parse the beginning too: it may refer to a new definition.
    if (text.length < wholeLength) return this.#whole(kept, text)
    return [{ text, nodes: children }]
  }

  /** Returns the previous block if it is equal. Text that follows may change a block without changing its text. */
  readonly #known = (block: Block, index: number): Block => {
    const before = this.#blocks[index]
    // Kept blocks are not compared: an answer has many and grows often.
    if (before === block) return block
    return before?.text === block.text && contentOf(before) === contentOf(block) ? before : block
  }

  #whole(kept: readonly Block[], rest: string): readonly Block[] {
    const text = kept.map((block) => block.text).join('') + rest
    return [{ text, nodes: parseMarkdown(text).children }]
  }
}

function contentOf({ nodes }: Block): string {
  return JSON.stringify(nodes, (key, value: unknown) => (key === 'position' ? undefined : value))
}

function defines(node: Nodes): boolean {
  if (node.type === 'definition' || node.type === 'footnoteDefinition') return true
  return 'children' in node && (node.children as Nodes[]).some(defines)
}

/**
 * A block begins at the start of a line. Nodes on the same line stay together, even after the last line of a longer
 * block (text after the `$$` that ends a formula).
 */
function cutBlocks(text: string, nodes: readonly RootContent[]): readonly Block[] {
  const starts: number[] = []
  const groups: RootContent[][] = []
  let end = 0
  for (const node of nodes) {
    const lineStart = text.lastIndexOf('\n', (node.position?.start.offset ?? 0) - 1) + 1
    if (groups.length > 0 && (lineStart <= starts.at(-1)! || lineStart < end)) groups.at(-1)!.push(node)
    else {
      starts.push(groups.length === 0 ? 0 : lineStart)
      groups.push([node])
    }
    end = node.position?.end.offset ?? end
  }
  if (groups.length === 0) return text === '' ? [] : [{ text, nodes: [] }]
  return groups.map((group, index) => ({ text: text.slice(starts[index], starts[index + 1]), nodes: group }))
}

/**
 * Returns the index of the first block that more text may change: the block that the last line belongs to, or may belong
 * to once it is complete, and all blocks that no blank line separates from it. Indented text may belong to the block
 * above its blank line.
 */
function firstOpenBlock(blocks: readonly Block[], text: string): number {
  const lastLine = text.lastIndexOf('\n') + 1
  let index = blocks.length - 1
  let start = text.length - (blocks.at(-1)?.text.length ?? 0)
  const stepBack = (): void => {
    index--
    start -= blocks[index]!.text.length
  }
  if (index > 0 && start >= lastLine) stepBack()
  const isParted = (): boolean => endsWithBlankLine(blocks[index - 1]!) && !/^[ \t]/.test(blocks[index]!.text)
  while (index > 0 && !isParted()) stepBack()
  return Math.max(index, 0)
}

/** Reports whether a blank line ends the block. */
const endsWithBlankLine = ({ text }: Block): boolean => /\n[ \t]*\n[ \t]*$/.test(text)

interface OpenFence {
  readonly end: RegExp
}

/** Returns the fence that a block begins with, if the fence is not closed. */
function openFence(text: string): OpenFence | undefined {
  const mark = /^(`{3,}|~{3,})[^\n]*\n/.exec(text)?.[1]
  if (!mark) return undefined
  const end = new RegExp(`^ {0,3}[${mark[0]}]{${mark.length},}[ \\t]*$`, 'm')
  return end.test(text.slice(text.indexOf('\n') + 1)) ? undefined : { end }
}
