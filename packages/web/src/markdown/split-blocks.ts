const fence = /^ {0,3}(`{3,}|~{3,})/
const listItem = /^ {0,3}(?:[-*+]|\d{1,9}[.)])(?:\s|$)/
/** Link and footnote definitions hold for the whole text, wherever they stand. */
const definition = /^ {0,3}\[[^\]]+\]:/m

/**
 * Cuts Markdown at blank lines between blocks, so that a growing text is parsed again only from its last block on. The
 * pieces, joined, are the text. Whatever may reach over a blank line (fences, formulas, lists, indented text) stays whole.
 */
export function splitBlocks(text: string): readonly string[] {
  if (definition.test(text)) return [text]
  const blocks: string[] = []
  let block = ''
  let afterBlank = false
  let openFence: string | undefined
  let openMath = false
  let inList = false
  for (const line of text.split(/(?<=\n)/)) {
    const blank = line.trim() === ''
    const free = openFence === undefined && !openMath
    if (free && !blank && afterBlank && block && startsBlock(line, inList)) {
      blocks.push(block)
      block = ''
      inList = false
    }
    if (free && !blank && listItem.test(line)) inList = true
    block += line
    afterBlank = blank
    if (!openMath) openFence = nextFence(line, openFence)
    if (openFence === undefined && line.trim() === '$$') openMath = !openMath
  }
  if (block) blocks.push(block)
  return blocks
}

/** Indented lines, and items after items, may belong to the block before the blank line. */
function startsBlock(line: string, inList: boolean): boolean {
  return !/^[ \t]/.test(line) && !(inList && listItem.test(line))
}

/** The fence that is open after `line`. Only a fence of the same kind, at least as long and alone on its line, closes. */
function nextFence(line: string, open: string | undefined): string | undefined {
  const mark = fence.exec(line)?.[1]
  if (mark === undefined) return open
  if (open === undefined) return mark
  const closes = mark[0] === open[0] && mark.length >= open.length && line.trim() === mark
  return closes ? undefined : open
}
