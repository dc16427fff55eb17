const fence = /^ {0,3}(`{3,}|~{3,})/
const listItem = /^ {0,3}(?:[-*+]|\d{1,9}[.)])(?:\s|$)/
/** Link and footnote definitions hold for the whole text, wherever they stand. */
const definition = /^ {0,3}\[[^\]]+\]:/m

/**
 * Cuts Markdown between blocks, so that a growing text is parsed again only from its last block on: at blank lines, and
 * around fenced code. The pieces, joined, are the text. Whatever may reach over a blank line (fences, formulas, lists,
 * indented text) stays whole.
 */
export function splitBlocks(text: string): readonly string[] {
  if (definition.test(text)) return [text]
  const splitter = new BlockSplitter()
  for (const line of text.split(/(?<=\n)/)) splitter.add(line)
  return splitter.end()
}

class BlockSplitter {
  readonly #blocks: string[] = []
  #block = ''
  #afterBlank = false
  #openFence: string | undefined
  #openMath = false
  #inList = false

  add(line: string): void {
    const blank = line.trim() === ''
    const free = this.#openFence === undefined && !this.#openMath
    if (free && !blank && this.#block.trim() && this.#startsBlock(line)) this.#cut()
    if (free && !blank && listItem.test(line)) this.#inList = true
    this.#block += line
    this.#afterBlank = blank
    const wasOpen = this.#openFence !== undefined
    if (!this.#openMath) this.#openFence = nextFence(line, this.#openFence)
    if (this.#openFence === undefined) this.#openMath = nextMath(line, this.#openMath)
    // Nothing belongs to a fence that is closed.
    if (wasOpen && this.#openFence === undefined && !this.#inList) this.#cut()
  }

  end(): readonly string[] {
    if (this.#block) this.#cut()
    return this.#blocks
  }

  #cut(): void {
    this.#blocks.push(this.#block)
    this.#block = ''
    this.#inList = false
  }

  /** Indented lines, and items after items, may belong to the block before the blank line. */
  #startsBlock(line: string): boolean {
    if (/^[ \t]/.test(line) || (this.#inList && listItem.test(line))) return false
    return this.#afterBlank || (!this.#inList && fence.test(line))
  }
}

/** The fence that is open after `line`. Only a fence of the same kind, at least as long and alone on its line, closes. */
function nextFence(line: string, open: string | undefined): string | undefined {
  const mark = fence.exec(line)?.[1]
  if (mark === undefined) return open
  if (open === undefined) return mark
  const closes = mark[0] === open[0] && mark.length >= open.length && line.trim() === mark
  return closes ? undefined : open
}

/** Whether a formula of several lines is open after `line`. */
function nextMath(line: string, open: boolean): boolean {
  const text = line.trim()
  if (text === '$$') return !open
  return open ? text !== '\\]' : text === '\\['
}

export interface FencedCode {
  readonly language: string
  readonly code: string
}

/** The code of a block that is one fence and nothing else, closed or still growing: that needs no parser. */
export function fencedCode(block: string): FencedCode | undefined {
  const opening = /^(`{3,}|~{3,})[ \t]*([^\s`]*)[^\n`]*\n/.exec(block)
  if (!opening) return undefined
  const [first, mark = '', language = ''] = opening
  const lines = block.slice(first.length).trimEnd().split('\n')
  const last = lines.at(-1)?.trim() ?? ''
  const closed = last.startsWith(mark) && nextFence(last, mark) === undefined
  const body = closed ? lines.slice(0, -1).join('\n') : block.slice(first.length).replace(/\n$/, '')
  return { language, code: body }
}
