import type { Literal, Nodes, Parent, PhrasingContent, RootContent } from 'mdast'
import type { Extension } from 'mdast-util-from-markdown'
import type { InlineTagName } from './html-tags.ts'

interface Tag extends Literal {
  type: 'inlineTag' | 'blockTag'
}

/** An element of a start tag, its content and an end tag. */
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

/** Turns tags into separate nodes, which `nestTags` turns into elements. */
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

/** Turns pairs of tags into elements around the nodes between them. An unpaired tag is text. */
export function nestTags(node: Nodes): void {
  if (!('children' in node)) return
  const children = node.children as Nodes[]
  for (const child of children) nestTags(child)
  if (!children.some(isTag)) return
  ;(node as { children: Nodes[] }).children = nest(children)
}

const isTag = (node: Nodes): node is Tag => node.type === 'inlineTag' || node.type === 'blockTag'
const isEnd = ({ value }: Tag): boolean => value.startsWith('</')
const nameOf = ({ value }: Tag): string => /\w+/.exec(value)![0].toLowerCase()

interface OpenElement {
  readonly tag: Tag
  readonly children: Nodes[]
}

/** Takes linear time, however many tags are unpaired. */
function nest(nodes: readonly Nodes[]): Nodes[] {
  const paired = pairedTags(nodes)
  const root: Nodes[] = []
  const open: OpenElement[] = []
  const add = (node: Nodes): void => void (open.at(-1)?.children ?? root).push(node)
  const close = (): void => {
    const { tag, children } = open.pop()!
    add(elementOf(tag, children))
  }
  for (const node of nodes) {
    if (!isTag(node)) add(node)
    else if (!paired.has(node)) add(nameOf(node) === 'br' && !isEnd(node) ? { type: 'break' } : asText(node))
    else if (isEnd(node)) close()
    else open.push({ tag: node, children: [] })
  }
  while (open.length > 0) close()
  return root.flatMap((node) => (node.type === 'summary' ? outside(node) : [node]))
}

/**
 * Returns the tags that become elements: pairs, and unclosed `<details>`, which contain everything that follows while
 * they are being written. The end of any other unclosed tag is unknown.
 */
function pairedTags(nodes: readonly Nodes[]): ReadonlySet<Tag> {
  const paired = new Set<Tag>()
  const open: Tag[] = []
  const openOfName = new Map<string, number>()
  const count = (name: string, change: number): void =>
    void openOfName.set(name, (openOfName.get(name) ?? 0) + change)
  for (const node of nodes) {
    if (!isTag(node)) continue
    const name = nameOf(node)
    if (name === 'br') continue
    if (!isEnd(node)) {
      open.push(node)
      count(name, 1)
    } else if (openOfName.get(name)) {
      let start: Tag
      do {
        start = open.pop()!
        count(nameOf(start), -1)
      } while (nameOf(start) !== name)
      paired.add(start).add(node)
    }
  }
  for (const tag of open) if (nameOf(tag) === 'details') paired.add(tag)
  return paired
}

function asText(tag: Tag): Nodes {
  const text: Nodes = { type: 'text', value: tag.value, position: tag.position }
  return tag.type === 'inlineTag' ? text : { type: 'paragraph', children: [text], position: tag.position }
}

/** The element begins where its tag does. */
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
  const summary = children.find((child) => child.type === 'summary')
  const rest = children.flatMap((child) => {
    if (child === summary) return []
    return child.type === 'summary' ? outside(child) : [child]
  })
  const open = /open/i.test(tag.value)
  return {
    type: 'details',
    open,
    children: [...(summary ? [summary] : []), ...rest] as RootContent[],
    position,
  }
}

/** A summary outside `<details>` is text. */
function outside({ children, position }: Summary): Nodes[] {
  const text = (value: string): Nodes => ({
    type: 'paragraph',
    children: [{ type: 'text', value }],
    position,
  })
  return [text('<summary>'), ...children, text('</summary>')]
}
