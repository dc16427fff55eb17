import { fold } from '../../chat/search-chats.ts'

/** A match of a search word in the rendered text of a message. */
export interface Place {
  readonly messageId: string
  /** Its index among the matches of the message. */
  readonly index: number
  readonly range: Range
}

/** Parts of a rendered message that are not its text. */
const NOT_TEXT =
  '.thoughts, .tool-calls, .tool-limit, .message-actions, .answer-live, .live-route, .visually-hidden, .code-head, button'

/** Finds all matches of the words in the text of an element, in reading order. */
export function findPlaces(element: Element, messageId: string, words: readonly string[]): readonly Place[] {
  const { nodes, text, offsets } = shownText(element)
  const spots = words.flatMap((word) => spotsOf(text, word)).toSorted((a, b) => a.start - b.start)
  return spots.map(({ start, end }, index) => {
    const range = document.createRange()
    range.setStart(...pointAt(nodes, offsets[start]!))
    const [node, offset] = pointAt(nodes, offsets[end - 1]!)
    range.setEnd(node, Math.min(node.length, offset + 1))
    return { messageId, index, range }
  })
}

interface ShownNode {
  readonly node: Text
  /** Characters before this node. */
  readonly before: number
}

/** Returns the folded text of an element, and for each of its characters the offset before folding. */
function shownText(element: Element) {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT, (node) =>
    node instanceof Element && node.matches(NOT_TEXT) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT,
  )
  const nodes: ShownNode[] = []
  const pieces: string[] = []
  const offsets: number[] = []
  let before = 0
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!(node instanceof Text)) continue
    nodes.push({ node, before })
    let at = before
    for (const character of node.data) {
      const folded = fold(character)
      for (let index = 0; index < folded.length; index++) offsets.push(at)
      pieces.push(folded)
      at += character.length
    }
    before += node.data.length
  }
  return { nodes, text: pieces.join(''), offsets }
}

function spotsOf(text: string, word: string): readonly { readonly start: number; readonly end: number }[] {
  const spots: { start: number; end: number }[] = []
  for (let start = text.indexOf(word); start >= 0; start = text.indexOf(word, start + word.length))
    spots.push({ start, end: start + word.length })
  return spots
}

/** Finds the node of a character and its offset there. Uses binary search: long chats have many nodes and matches. */
function pointAt(nodes: readonly ShownNode[], offset: number): [Text, number] {
  let [low, high] = [0, nodes.length - 1]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (nodes[middle]!.before <= offset) low = middle
    else high = middle - 1
  }
  const { node, before } = nodes[low]!
  return [node, offset - before]
}
