import { Detokenizer } from '../generation/detokenizer.ts'
import type { Tokenizer } from '../tokenizer.ts'

const REPLACEMENT = '\uFFFD'

/**
 * Checks that an answer which consists of the tokens of `text` reaches its reader as the same text, whole characters at a
 * time, wherever the tokens divide it. @throws Error that shows the text
 */
export function checkUtf8(tokenizer: Tokenizer, text: string): void {
  const tokens = tokenizer.encode(text)
  const whole = tokenizer.decode(tokens)
  const detokenizer = new Detokenizer(tokenizer)
  const parts = tokens.flatMap((token) => detokenizer.push({ token })?.text ?? [])
  const last = detokenizer.flush()?.text
  const fail = (what: string): never => {
    throw new Error(`${what}: ${JSON.stringify(text)} → ${JSON.stringify([...parts, last])}`)
  }
  if (parts.join('') + (last ?? '') !== whole) fail('The parts differ from the whole')
  // Some vocabularies have no token for some bytes: the whole shows it.
  if (whole.includes(REPLACEMENT)) return
  if (last !== undefined) fail('A part was held back to the end')
  if (parts.some((part) => part.includes(REPLACEMENT))) fail('A character was divided')
  if (parts.some((part) => !part.isWellFormed())) fail('A surrogate pair was divided')
}
