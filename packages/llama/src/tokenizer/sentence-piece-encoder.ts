import type { TokenId } from '@petals-chat/engine'
import type { GgufHeader } from '../gguf/gguf-header.ts'
import { mergeParts } from './merge-queue.ts'
import { byteOfToken, byteTokenText, SPACE_MARK, type FragmentEncoder } from './text-encoder.ts'
import { TokenType, type Vocabulary } from './vocabulary.ts'

/** SentencePiece's BPE with byte fallback (`tokenizer.ggml.model` is `llama`). */
export class SentencePieceEncoder implements FragmentEncoder {
  readonly addsBos = true
  readonly addsEos = false
  readonly #vocabulary: Vocabulary
  readonly #addSpacePrefix: boolean

  constructor({ metadata }: GgufHeader, vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary
    this.#addSpacePrefix = metadata.get('tokenizer.ggml.add_space_prefix') !== false
  }

  encode(text: string, afterSpecial: boolean): TokenId[] {
    const { ids, scores } = this.#vocabulary
    const marked = (afterSpecial && this.#addSpacePrefix ? ' ' + text : text).replaceAll(' ', SPACE_MARK)
    const parts = mergeParts([...marked], (left, right) => {
      const token = ids.get(left + right)
      return token === undefined ? undefined : -(scores?.[token] ?? 0)
    })
    return parts.flatMap((part) => ids.get(part) ?? this.#encodeBytes(part))
  }

  #encodeBytes(character: string): TokenId[] {
    const { ids } = this.#vocabulary
    return Array.from(new TextEncoder().encode(character), (byte) => {
      return ids.get(byteTokenText(byte)) ?? ids.get(String.fromCharCode(byte)) ?? 0
    })
  }

  bytes(token: TokenId): Uint8Array {
    const text = this.#vocabulary.texts[token]!
    if (this.#vocabulary.types[token] === TokenType.byte) return Uint8Array.of(byteOfToken(text) ?? 0)
    return new TextEncoder().encode(text.replaceAll(SPACE_MARK, ' '))
  }
}
