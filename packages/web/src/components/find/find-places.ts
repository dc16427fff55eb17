import { fold } from '../../chat/search-chats.ts'

/** A place of a word in the text of a message, as it is shown. */
export interface Place {
  readonly messageId: string
  /** Its number among those of the message. */
  readonly index: number
  readonly range: Range
}

/** What is shown of a message and was not said in it. */
const NOT_SAID =
  '.thoughts, .message-actions, .answer-live, .live-route, .visually-hidden, .code-head, button'

/** Every place of the words in the text of an element, in the order in which they are read. */
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
  /** Characters before it. */
  readonly before: number
}

/** The text of an element, folded, and for each character of it the place before folding. */
function shownText(element: Element) {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT, (node) =>
    node instanceof Element && node.matches(NOT_SAID) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT,
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

/** The node that has a character, and its place there. By halves: long chats have many nodes, and many places. */
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
