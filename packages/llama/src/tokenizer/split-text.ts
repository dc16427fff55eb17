/** Splits a text into pieces whose concatenation is the text. */
export type Split = (text: string) => string[]

/** Splits a text into the matches of an expression and the text between them, in order. */
export function splitBy(source: string): Split {
  const expression = new RegExp(source, 'gu')
  return (text) => {
    const pieces: string[] = []
    let end = 0
    for (const match of text.matchAll(expression)) {
      if (match.index > end) pieces.push(text.slice(end, match.index))
      pieces.push(match[0])
      end = match.index + match[0].length
    }
    if (end < text.length) pieces.push(text.slice(end))
    return pieces
  }
}

/** Splits digits into groups of three from the right. As in llama.cpp, text before the digits stays with the first group. */
export const splitDigitGroups: Split = (text) => {
  const pieces: string[] = []
  let end = 0
  const cut = (at: number) => {
    pieces.push(text.slice(end, at))
    end = at
  }
  for (const { 0: run, index } of text.matchAll(/\p{N}+/gu)) {
    const digits = [...run]
    let at = index
    for (let size = digits.length % 3 || 3, first = 0; first < digits.length; first += size, size = 3) {
      at += digits.slice(first, first + size).join('').length
      cut(at)
    }
  }
  if (end < text.length) cut(text.length)
  return pieces
}
