import { ModelUnavailableError, type TokenId } from '@petals-chat/engine'
import { asArray } from '../gguf/gguf-info.ts'
import type { GgufHeader } from '../gguf/gguf-header.ts'
import { decodeBytes, encodeBytes } from './byte-encoding.ts'
import { mergeParts } from './merge-queue.ts'
import { preTokenizer, type PreTokenizer } from './pre-tokenizers.ts'
import { byteOfToken, byteTokenText, SPACE_MARK, type FragmentEncoder } from './text-encoder.ts'
import { TokenType, type Vocabulary } from './vocabulary.ts'

/** Byte-pair encoding (`tokenizer.ggml.model` is `gpt2` or `gemma4`). */
export class BytePairEncoder implements FragmentEncoder {
  readonly addsBos: boolean
  readonly addsEos = false
  readonly #vocabulary: Vocabulary
  readonly #preTokenizer: PreTokenizer
  /** Ranks by merge, written as in the file: both sides with a space between them. */
  readonly #ranks: ReadonlyMap<string, number>
  readonly #cache = new WordCache()

  constructor({ metadata }: GgufHeader, vocabulary: Vocabulary) {
    const isGemma4 = metadata.get('tokenizer.ggml.model') === 'gemma4'
    const pre = metadata.get('tokenizer.ggml.pre')
    this.#preTokenizer = preTokenizer(isGemma4 ? 'gemma4' : typeof pre === 'string' ? pre : undefined)
    this.addsBos = this.#preTokenizer.addBos
    this.#vocabulary = vocabulary
    this.#ranks = readRanks(asArray(metadata.get('tokenizer.ggml.merges'))?.strings())
  }

  encode(text: string): TokenId[] {
    const { splits, byteEncoded } = this.#preTokenizer
    let pieces = [byteEncoded ? text : text.replaceAll(' ', SPACE_MARK)]
    for (const split of splits) pieces = pieces.flatMap(split)
    return pieces.flatMap((piece) => this.#cache.get(piece, () => this.#encodeWord(piece)))
  }

  #encodeWord(piece: string): TokenId[] {
    const { ids } = this.#vocabulary
    const word = this.#preTokenizer.byteEncoded ? encodeBytes(piece) : piece
    const whole = ids.get(word)
    if (whole !== undefined && this.#staysWhole(word)) return [whole]
    const parts = mergeParts([...word], (left, right) => this.#ranks.get(`${left} ${right}`))
    return parts.flatMap((part) => ids.get(part) ?? this.#encodeUnknown(part))
  }

  #staysWhole(word: string): boolean {
    return this.#preTokenizer.ignoreMerges || (!this.#preTokenizer.byteEncoded && /^\n+$/.test(word))
  }

  /** Encodes a part that is not a token byte by byte. Bytes without a token are dropped, as in llama.cpp. */
  #encodeUnknown(part: string): TokenId[] {
    const { ids } = this.#vocabulary
    const { byteEncoded } = this.#preTokenizer
    const texts = byteEncoded ? [...part] : Array.from(new TextEncoder().encode(part), byteTokenText)
    return texts.map((text) => ids.get(text)).filter((id) => id !== undefined)
  }

  bytes(token: TokenId): Uint8Array {
    const text = this.#vocabulary.texts[token]!
    if (this.#vocabulary.types[token] === TokenType.byte) return Uint8Array.of(byteOfToken(text) ?? 0)
    if (this.#preTokenizer.byteEncoded) return decodeBytes(text)
    return new TextEncoder().encode(text.replaceAll(SPACE_MARK, ' '))
  }
}

/** If a merge appears twice, the first one counts, so it is written last. */
function readRanks(merges: readonly string[] | undefined): ReadonlyMap<string, number> {
  if (merges === undefined) {
    throw new ModelUnavailableError(
      "The model's tokenizer has no merges (tokenizer.ggml.merges). Use a newer file of the model.",
    )
  }
  const ranks = new Map<string, number>()
  for (let rank = merges.length - 1; rank >= 0; rank--) ranks.set(merges[rank]!, rank)
  return ranks
}

/** Texts repeat their words: most occur again within the same page. The full cache takes about 2 MB. */
const MAX_WORDS = 20_000
/** Longer words seldom occur twice. */
const MAX_WORD_LENGTH = 64

/** Caches the tokens of words. */
class WordCache {
  readonly #words = new Map<string, readonly TokenId[]>()

  get(word: string, tokenize: () => readonly TokenId[]): readonly TokenId[] {
    if (word.length > MAX_WORD_LENGTH) return tokenize()
    const known = this.#words.get(word)
    if (known !== undefined) return known
    const tokens = tokenize()
    if (this.#words.size >= MAX_WORDS) this.#words.clear()
    this.#words.set(word, tokens)
    return tokens
  }
}
