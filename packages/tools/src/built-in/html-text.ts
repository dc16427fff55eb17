import { Parser } from 'htmlparser2'

/** Elements whose content is not for readers. */
const hidden: ReadonlySet<string> = new Set([
  'script',
  'style',
  'noscript',
  'template',
  'svg',
  'iframe',
  'object',
  'select',
  'head',
  'nav',
])
const lines: ReadonlySet<string> = new Set(
  'address article aside blockquote br dd div dl dt figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr li main ol p pre section table tr ul'.split(
    ' ',
  ),
)

/** Elements within each other: the parser takes time for each of them with every further one. */
const MAX_DEPTH = 256
/** Characters that are read before the depth is looked at. */
const PIECE = 16_384

/** The text of a page: its title, and what is to be read, one line for each paragraph. Links keep their text alone. */
export function htmlText(html: string): string {
  const parts: string[] = []
  let title = ''
  let isTitle = false
  let depth = 0
  const hiddenBy: string[] = []
  const parser = new Parser({
    onopentagname(name) {
      depth++
      if (name === 'title' && title === '') isTitle = true
      // What a page left open in its head does not hide the page.
      if (name === 'body') hiddenBy.length = 0
      if (hidden.has(name)) hiddenBy.push(name)
      else if (lines.has(name)) parts.push('\n')
      if (name === 'li') parts.push('- ')
    },
    ontext(text) {
      if (isTitle) title += text
      else if (hiddenBy.length === 0) parts.push(text)
    },
    onclosetag(name) {
      depth--
      if (name === 'title') isTitle = false
      if (hiddenBy.at(-1) === name) hiddenBy.pop()
      if (lines.has(name)) parts.push('\n')
      else if (name === 'td' || name === 'th') parts.push(' ')
    },
  })
  for (let at = 0; at < html.length && depth <= MAX_DEPTH; at += PIECE)
    parser.write(html.slice(at, at + PIECE))
  if (depth > MAX_DEPTH)
    parts.push('\n[The rest of the page can’t be read: too many of its elements are within each other.]')
  else parser.end()
  return [tidy(title), tidy(parts.join(''))].filter((text) => text !== '').join('\n\n')
}

const tidy = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.replace(/\s+/g, ' ').trim())
    .filter((line) => line !== '' && line !== '-')
    .join('\n')
