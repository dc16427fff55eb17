import type { List, Nodes, Parents, Table } from 'mdast'
import { parseMarkdown } from './parse-markdown.ts'

/** Converts Markdown to text without marks, for an e-mail for example. */
export function plainText(markdown: string): string {
  return block(parseMarkdown(markdown))
}

function block(node: Nodes): string {
  switch (node.type) {
    case 'root':
    case 'blockquote':
    case 'details':
    case 'summary':
      return join(node, '\n\n')
    case 'footnoteDefinition':
      return `[${node.label ?? node.identifier}] ${join(node, '\n\n')}`
    case 'list':
      return listText(node)
    case 'listItem':
      return join(node, '\n')
    case 'table':
      return tableText(node)
    case 'code':
      return node.value
    case 'thematicBreak':
      return '———'
    case 'definition':
      return ''
    default:
      return inline(node)
  }
}

function inline(node: Nodes): string {
  switch (node.type) {
    case 'break':
      return '\n'
    case 'image':
    case 'imageReference':
      return node.alt ?? ''
    case 'footnoteReference':
      return `[${node.label ?? node.identifier}]`
    case 'link':
      return linkText(childrenText(node), node.url)
    default:
      if ('value' in node) return node.value
      return 'children' in node ? childrenText(node) : ''
  }
}

function childrenText(node: Parents): string {
  return node.children.map(inline).join('')
}

/** Appends the address of a link, which plain text would otherwise lose. */
function linkText(words: string, url: string): string {
  return words === url || `mailto:${words}` === url ? words : `${words} (${url})`
}

function join(node: Parents, separator: string): string {
  return node.children
    .map(block)
    .filter((text) => text !== '')
    .join(separator)
}

function listText({ children, ordered, start }: List): string {
  const marks = children.map((item, index) => {
    const box = item.checked == null ? '' : item.checked ? '[x] ' : '[ ] '
    return (ordered ? `${(start ?? 1) + index}. ` : '- ') + box
  })
  return children
    .map(
      (item, index) => marks[index] + block(item).replaceAll('\n', `\n${' '.repeat(marks[index]!.length)}`),
    )
    .join('\n')
}

function tableText({ children }: Table): string {
  return children.map((row) => row.children.map(childrenText).join('\t')).join('\n')
}
