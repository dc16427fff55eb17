import type { Literal, Nodes, Parent, PhrasingContent, RootContent } from 'mdast'
import type { Extension } from 'mdast-util-from-markdown'
import type { InlineTagName } from './html-tags.ts'

interface Tag extends Literal {
  type: 'inlineTag' | 'blockTag'
}

/** What stands between a tag and its end. */
export interface HtmlElement extends Parent {
  type: 'htmlElement'
  name: Exclude<InlineTagName, 'br'>
  children: PhrasingContent[]
}

/** `<details>`: its first child is the summary, if it has one. */
export interface Details extends Parent {
  type: 'details'
  open: boolean
  children: RootContent[]
}

export interface Summary extends Parent {
  type: 'summary'
  children: RootContent[]
}

declare module 'mdast' {
  interface PhrasingContentMap {
    htmlElement: HtmlElement
  }
  interface RootContentMap {
    htmlTag: Tag
    htmlElement: HtmlElement
    details: Details
    summary: Summary
  }
}
declare module 'micromark-util-types' {
  interface TokenTypeMap {
    inlineTag: 'inlineTag'
    blockTag: 'blockTag'
  }
}

/** Tags as nodes of their own, which `nestTags` puts around what they hold. */
export const tagTree: Extension = {
  enter: {
    inlineTag(token) {
      this.enter({ type: 'inlineTag', value: this.sliceSerialize(token) }, token)
    },
    blockTag(token) {
      this.enter({ type: 'blockTag', value: this.sliceSerialize(token) }, token)
    },
  },
  exit: {
    inlineTag(token) {
      this.exit(token)
    },
    blockTag(token) {
      this.exit(token)
    },
  },
}

/** Puts tags around what stands between them. A tag without its other half is text. */
export function nestTags(node: Nodes): void {
  if (!('children' in node)) return
  const children = node.children as Nodes[]
  for (const child of children) nestTags(child)
  if (!children.some(isTag)) return
  ;(node as { children: Nodes[] }).children = nest(children)
}

const isTag = (node: Nodes): node is Tag => node.type === 'inlineTag' || node.type === 'blockTag'
const nameOf = ({ value }: Tag): string => /\w+/.exec(value)![0].toLowerCase()

interface OpenTag {
  readonly tag: Tag
  readonly children: Nodes[]
}

function nest(nodes: readonly Nodes[]): Nodes[] {
  const root: Nodes[] = []
  const open: OpenTag[] = []
  const current = (): Nodes[] => open.at(-1)?.children ?? root
  /** The last tag that is open was none. */
  const giveUp = (): void => {
    const { tag, children } = open.pop()!
    current().push(asText(tag), ...children)
  }
  const close = (): void => {
    const { tag, children } = open.pop()!
    current().push(elementOf(tag, children))
  }
  for (const node of nodes) {
    if (!isTag(node)) current().push(node)
    else if (nameOf(node) === 'br')
      current().push(node.value.startsWith('</') ? asText(node) : { type: 'break' })
    else if (!node.value.startsWith('</')) open.push({ tag: node, children: [] })
    else {
      const index = open.findLastIndex(({ tag }) => nameOf(tag) === nameOf(node))
      if (index < 0) current().push(asText(node))
      else {
        while (open.length > index + 1) giveUp()
        close()
      }
    }
  }
  // Details that are still being written hold all that follows; where other tags would end is not known.
  while (open.length > 0)
    if (nameOf(open.at(-1)!.tag) === 'details') close()
    else giveUp()
  return root.flatMap((node) => (node.type === 'summary' ? outside(node) : [node]))
}

function asText(tag: Tag): Nodes {
  const text: Nodes = { type: 'text', value: tag.value, position: tag.position }
  return tag.type === 'inlineTag' ? text : { type: 'paragraph', children: [text], position: tag.position }
}

/** It begins where its tag does. */
function elementOf(tag: Tag, children: Nodes[]): Nodes {
  const name = nameOf(tag)
  const { position } = tag
  if (name === 'summary') return { type: 'summary', children: children as RootContent[], position }
  if (name !== 'details')
    return {
      type: 'htmlElement',
      name: name as HtmlElement['name'],
      children: children as PhrasingContent[],
      position,
    }
  const [summary, ...others] = children.filter((child) => child.type === 'summary')
  const rest = children
    .filter((child) => child !== summary)
    .flatMap((child) => (others.includes(child as Summary) ? outside(child as Summary) : [child]))
  const open = /open/i.test(tag.value)
  return {
    type: 'details',
    open,
    children: [...(summary ? [summary] : []), ...rest] as RootContent[],
    position,
  }
}

/** Outside of details a summary is nothing. */
function outside({ children, position }: Summary): Nodes[] {
  const text = (value: string): Nodes => ({
    type: 'paragraph',
    children: [{ type: 'text', value }],
    position,
  })
  return [text('<summary>'), ...children, text('</summary>')]
}
