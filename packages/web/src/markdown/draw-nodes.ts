import type { Element, ElementContent, Nodes, Root, RootContent } from 'hast'
import type { RootContent as MarkdownContent } from 'mdast'
import { toHast, type Handlers } from 'mdast-util-to-hast'
import { toJsxRuntime, type Components } from 'hast-util-to-jsx-runtime'
import type { ReactElement } from 'react'
import { Fragment, jsx, jsxs } from 'react/jsx-runtime'
import { withDirections } from './directions.ts'

/** The elements that model text may become, with their properties. The last step drops all others and keeps their text. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    ['br', 'hr', 'strong', 'em', 'del', 'ins', 'u', 'mark', 'kbd', 'sub', 'sup', 'thead', 'tbody', 'tr'].map(
      (name) => [name, []],
    ),
  ),
  ...Object.fromEntries(
    ['p', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'ul', 'blockquote', 'table', 'summary'].map((name) => [
      name,
      ['dir'],
    ]),
  ),
  p: ['className', 'dir'],
  ol: ['start', 'dir'],
  ul: ['className', 'dir'],
  li: ['className', 'id'],
  td: ['align', 'dir'],
  th: ['align', 'dir'],
  input: ['checked'],
  code: ['className', 'dir'],
  pre: [],
  a: ['href', 'id', 'dataFootnoteRef', 'dataFootnoteBackref', 'ariaLabel'],
  img: ['src', 'alt'],
  section: ['className'],
  details: ['open', 'dir'],
}

const text = (value: string): ElementContent => ({ type: 'text', value })
const element = (tagName: string, children: ElementContent[], properties = {}): Element => ({
  type: 'element',
  tagName,
  properties,
  children,
})
const formula = (value: string, display: boolean): Element =>
  element('code', [text(value)], { className: [display ? 'formula-display' : 'formula-inline'] })

const handlers: Handlers = {
  // HTML between blocks keeps its lines.
  html: (_, node, parent) =>
    parent?.type === 'paragraph' || !isFlow(parent)
      ? text(node.value)
      : element('p', [text(node.value)], { className: ['plain'] }),
  math: (_, node) => formula(node.value, true),
  inlineMath: (_, node) => formula(node.value, node.display),
  htmlElement: (state, node) => element(node.name, state.all(node)),
  details: (state, node) => element('details', state.all(node), node.open ? { open: true } : {}),
  summary: (state, node) => {
    const children = state.all(node)
    const [only] = children
    return element(
      'summary',
      children.length === 1 && only?.type === 'element' && only.tagName === 'p' ? only.children : children,
    )
  },
}

const isFlow = (parent: { readonly type: string } | undefined): boolean =>
  ['root', 'blockquote', 'listItem', 'footnoteDefinition', 'details', 'summary'].includes(
    parent?.type ?? 'root',
  )

export interface DrawOptions {
  /** Prefix of footnote ids, which makes them unique among all messages. */
  readonly idPrefix: string
  readonly footnoteLabel: string
  readonly footnoteBackLabel: (number: number) => string
  readonly components: Partial<Components>
}

/** Renders Markdown nodes as React elements, without any string of markup. */
export function drawNodes(nodes: readonly MarkdownContent[], options: DrawOptions): ReactElement {
  const tree = toHast(
    { type: 'root', children: [...nodes] },
    {
      handlers,
      clobberPrefix: options.idPrefix,
      footnoteLabel: options.footnoteLabel,
      footnoteLabelTagName: 'p',
      footnoteLabelProperties: { className: ['visually-hidden'] },
      footnoteBackLabel: (index) => options.footnoteBackLabel(index + 1),
    },
  )
  const safe = sanitised(withDirections(tree as Root))
  return toJsxRuntime(safe, { Fragment, jsx, jsxs, components: options.components, passKeys: true })
}

function sanitised(root: Root): Root {
  return { type: 'root', children: root.children.flatMap(clean) as RootContent[] }
}

function clean(node: Nodes): ElementContent[] {
  if (node.type === 'text') return [text(node.value)]
  if (node.type === 'root' || node.type === 'element') {
    const children = node.children.flatMap(clean)
    if (node.type === 'root' || !Object.hasOwn(allowed, node.tagName)) return children
    const kept = allowed[node.tagName]!.filter((name) => node.properties[name] != null)
    return [
      element(node.tagName, children, Object.fromEntries(kept.map((name) => [name, node.properties[name]]))),
    ]
  }
  // Comments and raw markup, which the handlers never create.
  return 'value' in node ? [text(node.value)] : []
}
