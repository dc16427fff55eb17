import type { TokenId } from '@petals-chat/engine'

/** The part of a tokenizer that differs between byte-level BPE and SentencePiece. */
export interface FragmentEncoder {
  /** Encodes a text without special tokens. `afterSpecial` is true at the start and right after a special token. */
  encode(text: string, afterSpecial: boolean): TokenId[]
  /** Returns the bytes of an ordinary token. */
  bytes(token: TokenId): Uint8Array
  /** Whether BOS and EOS are added to a text if the file does not say. */
  readonly addsBos: boolean
  readonly addsEos: boolean
}

const byteToken = /^<0x([0-9A-Fa-f]{2})>$/

/** Returns the byte of a token like `<0x0A>`; undefined for other tokens. */
export function byteOfToken(text: string): number | undefined {
  const digits = byteToken.exec(text)?.[1]
  return digits === undefined ? undefined : parseInt(digits, 16)
}

/** Returns the text of the token for a single byte. */
export const byteTokenText = (byte: number): string =>
  `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`

/** U+2581, which represents a space in SentencePiece vocabularies. */
export const SPACE_MARK = '▁'
