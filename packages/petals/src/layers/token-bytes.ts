/** How a vocabulary represents bytes: `byte-level` (GPT-2's alphabet) or `sentencepiece` (▁ for a space, <0x0A> for a byte). */
export type VocabularyStyle = 'byte-level' | 'sentencepiece'

/**
 * Returns GPT-2's alphabet: printable Latin-1 characters stand for themselves, and characters from U+0100 on for the other
 * bytes (bytes_to_unicode in src/encoder.py of openai/gpt-2).
 */
function byteLevelAlphabet(): ReadonlyMap<string, number> {
  const isPrintable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
  const alphabet = new Map<string, number>()
  let next = 0x100
  for (let byte = 0; byte < 256; byte++) {
    alphabet.set(String.fromCharCode(isPrintable(byte) ? byte : next++), byte)
  }
  return alphabet
}

const alphabet = byteLevelAlphabet()
const encoder = new TextEncoder()

function byteLevelBytes(piece: string): Uint8Array {
  const bytes = Array.from(piece, (character) => alphabet.get(character))
  // A piece with characters outside the alphabet was added as plain text.
  return bytes.every((byte) => byte !== undefined) ? Uint8Array.from(bytes) : encoder.encode(piece)
}

function sentencePieceBytes(piece: string): Uint8Array {
  const byte = /^<0x([0-9A-F]{2})>$/.exec(piece)?.[1]
  return byte === undefined
    ? encoder.encode(piece.replaceAll('▁', ' '))
    : Uint8Array.of(Number.parseInt(byte, 16))
}

/** Returns the bytes that a piece of the vocabulary stands for. */
export function pieceBytes(piece: string, style: VocabularyStyle): Uint8Array {
  return style === 'byte-level' ? byteLevelBytes(piece) : sentencePieceBytes(piece)
}

/** Returns the bytes of a token that was added to the vocabulary as text. SentencePiece's decoder replaces ▁ there, too (Gemma's runs of spaces). */
export function addedBytes(content: string, style: VocabularyStyle): Uint8Array {
  return encoder.encode(style === 'sentencepiece' ? content.replaceAll('▁', ' ') : content)
}
