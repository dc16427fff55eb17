const MAX_LENGTH = 60

/** Makes a chat's title of its first message: the first line with words, without Markdown marks, cut at a word. */
export function titleFrom(content: string): string {
  const line =
    content
      .split('\n')
      .map(plain)
      .find((text) => /[\p{L}\p{N}]/u.test(text)) ?? ''
  const characters = Array.from(line)
  if (characters.length <= MAX_LENGTH) return line
  const cut = characters.slice(0, MAX_LENGTH).join('')
  const space = cut.lastIndexOf(' ')
  return `${(space > MAX_LENGTH / 2 ? cut.slice(0, space) : cut).trimEnd()}…`
}

/** Pairs of marks around words. A sign between numbers, within a name or alone is none. */
const emphasis = /(?<![\p{L}\p{N}])(\*{1,3}|_{1,3}|~~)(?=\S)(.*?\S)\1(?![\p{L}\p{N}])/gu
/** Characters of a line that can come into a title, with marks. */
const MAX_LINE = 500

function plain(line: string): string {
  return line
    .slice(0, MAX_LINE)
    .replace(/^\s*(?:#{1,6}|>|[-*+]|\d+[.)])\s+/, '')
    .replaceAll('`', '')
    .replaceAll(emphasis, '$2')
    .trim()
}
