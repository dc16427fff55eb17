import type { TokenId } from '@petals-chat/engine'

/** One kind of tokenizer: what differs between byte-level BPE and SentencePiece. */
export interface FragmentEncoder {
  /** Tokens of a text without special tokens; `afterSpecial` at the very start and right behind a special token. */
  encode(text: string, afterSpecial: boolean): TokenId[]
  /** The bytes that an ordinary token stands for. */
  bytes(token: TokenId): Uint8Array
  /** Whether BOS and EOS are put around a text where the file doesn't say. */
  readonly addsBos: boolean
  readonly addsEos: boolean
}

const byteToken = /^<0x([0-9A-Fa-f]{2})>$/

/** The byte that a token like `<0x0A>` stands for. */
export function byteOfToken(text: string): number | undefined {
  const digits = byteToken.exec(text)?.[1]
  return digits === undefined ? undefined : parseInt(digits, 16)
}

/** The token for a byte that no other token covers. */
export const byteTokenText = (byte: number): string =>
  `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`

/** U+2581, which stands for a space in SentencePiece vocabularies. */
export const SPACE_MARK = '▁'
