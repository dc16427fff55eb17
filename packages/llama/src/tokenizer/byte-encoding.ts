/**
 * GPT-2's alphabet represents each of the 256 bytes by one printable character, so that vocabularies are readable text.
 * Printable Latin-1 characters represent themselves; the other bytes are U+0100 and above (openai/gpt-2 src/encoder.py).
 */
const isPrintable = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff)

const characters: string[] = []
const bytes = new Map<string, number>()
for (let byte = 0, shifted = 0x100; byte < 256; byte++) {
  const character = String.fromCharCode(isPrintable(byte) ? byte : shifted++)
  characters.push(character)
  bytes.set(character, byte)
}

/** Writes the UTF-8 bytes of a text in GPT-2's alphabet. */
export function encodeBytes(text: string): string {
  let encoded = ''
  for (const byte of new TextEncoder().encode(text)) encoded += characters[byte]
  return encoded
}

/** Returns the bytes of a token's text. A character outside the alphabet represents its own UTF-8. */
export function decodeBytes(text: string): Uint8Array {
  const decoded: number[] = []
  for (const character of text) {
    const byte = bytes.get(character)
    if (byte === undefined) decoded.push(...new TextEncoder().encode(character))
    else decoded.push(byte)
  }
  return Uint8Array.from(decoded)
}
