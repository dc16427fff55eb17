/** The text of bytes in an encoding, with line ends of Unix; undefined where the bytes are not in it. */
export function decodeAs(bytes: Uint8Array, encoding: string): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes).replaceAll(/\r\n?/g, '\n')
  } catch {
    return undefined
  }
}

/** Controls that no text has. A few programs put form feeds and escapes (colours of terminals) into theirs. */
const controls = /[\0-\x08\x0b\x0e-\x1a\x1c-\x1f]/
/** What a wrong encoding makes of letters: further controls, and characters without a meaning of their own. */
const leftovers = /[\x7f-\x9f\ue000-\uf8ff\ufffe\uffff]/

export const isTextual = (text: string | undefined): text is string =>
  text !== undefined && !controls.test(text)

/** Stricter, for an encoding that is a guess. */
export const isLikely = (text: string | undefined): text is string => isTextual(text) && !leftovers.test(text)
