/** Characters in a line of the column, and pixels of a line, of the space between paragraphs, and around a message. */
const LINE_LENGTH = 80
const LINE_HEIGHT = 25
const PARAGRAPH_GAP = 12
const FRAME = 64

/** About how high a text will be in the column, in pixels: so that the scroll bar doesn't jump when it is shown. */
export function estimateHeight(text: string): number {
  let height = FRAME
  for (const line of text.split('\n'))
    height += line === '' ? PARAGRAPH_GAP : LINE_HEIGHT * Math.ceil(line.length / LINE_LENGTH)
  return height
}
