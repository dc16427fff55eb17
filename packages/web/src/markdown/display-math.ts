/**
 * What must not be read as a formula, and the ways in which models write formulas, in the order in which they count.
 * All lengths are bounded: hostile text must not make the search long.
 */
const pieces = new RegExp(
  [
    // Fenced code, to its end or the end of the text; code in a line.
    /(?<fence>(?<=^|\n) {0,3}(?<mark>`{3,}|~{3,})[^\n]*(?:\n[\s\S]*?(?:\n {0,3}\k<mark>[`~]*[ \t]*(?=\n|$)|$)|$))/,
    /(?<code>(?<ticks>(?<!`)`+(?!`))[\s\S]{0,2000}?(?<!`)\k<ticks>(?!`))/,
    /(?<escaped>\\[\\$])/,
    /\\\[(?<bracketed>[\s\S]{1,4000}?)\\\]/,
    /\\\((?<parenthesised>[^\n]{1,1000}?)\\\)/,
    /\$\$(?<doubled>[\s\S]{1,4000}?)\$\$/,
    // A price is no formula: no space inside the dollars, no digit behind them, as in Pandoc.
    /\$(?![\s$])(?<single>(?:\\[^\n]|[^$\\\n]){1,500}?)(?<!\s)\$(?![\d$])/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'g',
)

/** What a line begins with, up to the text of a list item. */
const lineStart = /^[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+|>[ \t]?)*/

/**
 * Writes formulas in the one way that the parser reads without doubt: `$$` on lines of their own for those that stand
 * alone, `$$…$$` within a line. Models also write `\[…\]`, `\(…\)`, `$…$`, and `$$…$$` anywhere.
 */
export function displayMath(text: string): string {
  if (!/[$\\]/.test(text)) return text
  return text.replace(pieces, (match, ...rest) => {
    const groups = rest.at(-1) as Readonly<Record<string, string | undefined>>
    const offset = rest.at(-3) as number
    const inline = groups['parenthesised'] ?? groups['single']
    if (inline !== undefined) return `$$${inline.trim()}$$`
    const display = groups['bracketed'] ?? groups['doubled']
    return display === undefined ? match : displayed(display, text, offset, match.length)
  })
}

/** On lines of its own, as deep in lists and quotations as the line where it stands. */
function displayed(formula: string, text: string, offset: number, length: number): string {
  const before = text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset)
  const start = lineStart.exec(before)?.[0] ?? ''
  const indent = start.replace(/[^>\s]/g, ' ')
  const lines = formula
    .split('\n')
    .map((line) => line.replace(/^[ \t>]+/, '').trimEnd())
    .filter((line) => line !== '')
  const opening = before.slice(start.length).trim() === '' ? '' : `\n${indent}`
  const closing = /^[ \t]*(?:\n|$)/.test(text.slice(offset + length)) ? '' : `\n${indent}`
  return [`${opening}$$`, ...lines.map((line) => indent + line), `${indent}$$${closing}`].join('\n')
}
