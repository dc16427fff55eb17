import type { Element, Nodes, Root } from 'hast'

/** Elements whose direction the browser derives from their first letter. */
const autoElements = new Set(['p', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'td', 'th', 'summary'])
/** Containers. The browser would ignore the letters in nested blocks, so their direction is computed here. */
const containers = new Set(['ul', 'ol', 'blockquote', 'table', 'details'])

/**
 * Gives each block the direction of its text, so that Arabic and English paragraphs can be mixed. Code stays left to
 * right. A list has one direction, since its markers stand on one side.
 */
export function withDirections<Tree extends Root | Element>(tree: Tree): Tree {
  for (const node of tree.children) {
    if (node.type !== 'element') continue
    const dir = directionOf(node)
    if (dir) node.properties['dir'] = dir
    withDirections(node)
  }
  return tree
}

function directionOf(node: Element): string | undefined {
  if (node.tagName === 'code') return 'ltr'
  if (autoElements.has(node.tagName)) return 'auto'
  return containers.has(node.tagName) ? firstDirection(node) : undefined
}

const strong =
  /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]|\p{L}/u
const rightToLeft =
  /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u

/** Returns the direction of the first letter outside code. */
function firstDirection(node: Nodes): 'ltr' | 'rtl' | undefined {
  if (node.type === 'text') {
    const letter = strong.exec(node.value)?.[0]
    return letter === undefined ? undefined : rightToLeft.test(letter) ? 'rtl' : 'ltr'
  }
  if (!('children' in node) || (node.type === 'element' && node.tagName === 'code')) return undefined
  for (const child of node.children) {
    const direction = firstDirection(child)
    if (direction) return direction
  }
  return undefined
}
