import { EncodeLimit, ModelUnavailableError, type TokenId, type Tokenizer } from '@petals-chat/engine'
import type { GgufHeader } from '../gguf/gguf-header.ts'
import { BytePairEncoder } from './byte-pair-encoder.ts'
import { SentencePieceEncoder } from './sentence-piece-encoder.ts'
import { SpecialTokens } from './special-tokens.ts'
import type { FragmentEncoder } from './text-encoder.ts'
import { readVocabulary, TokenType, type Vocabulary } from './vocabulary.ts'

/** A shorter text is encoded without a limit of time, whose cost would be felt: no vocabulary makes it take long. */
const LONG_TEXT = 2048

/**
 * The tokenizer that a GGUF file describes, in TypeScript: its tokens are identical to llama.cpp's, but a hostile vocabulary
 * can't crash the process. The header must have passed `checkModel`. @throws ModelUnavailableError for an unknown kind.
 */
export class GgufTokenizer implements Tokenizer {
  readonly vocabSize: number
  readonly bosToken: TokenId | undefined
  readonly eosTokens: ReadonlySet<TokenId>
  readonly #vocabulary: Vocabulary
  readonly #encoder: FragmentEncoder
  readonly #special: SpecialTokens
  readonly #addBos: boolean
  readonly #addEos: boolean
  /** Bytes by token, filled as tokens are decoded. */
  readonly #pieces: Uint8Array[] = []
  readonly #limit = new EncodeLimit()

  constructor(header: GgufHeader) {
    const { metadata } = header
    const vocabulary = readVocabulary(header)
    this.#vocabulary = vocabulary
    this.#encoder = createEncoder(header, vocabulary)
    this.#special = new SpecialTokens(vocabulary, stripsAfter(metadata.get('general.name')))
    // Some files of Gemma 4 say no; llama.cpp overrides them.
    const isGemma4 = metadata.get('tokenizer.ggml.model') === 'gemma4'
    const flag = (key: string, otherwise: boolean) => (metadata.get(key) ?? otherwise) === true
    this.#addBos =
      vocabulary.bos !== undefined &&
      (isGemma4 || flag('tokenizer.ggml.add_bos_token', this.#encoder.addsBos))
    this.#addEos = vocabulary.eos !== undefined && flag('tokenizer.ggml.add_eos_token', this.#encoder.addsEos)
    this.vocabSize = vocabulary.texts.length
    this.bosToken = this.#addBos ? vocabulary.bos : undefined
    this.eosTokens = vocabulary.endTokens
  }

  /** Returns the text of a token in the vocabulary; empty for undefined. */
  #textOf(token: TokenId | undefined): string {
    return token === undefined ? '' : (this.#vocabulary.texts[token] ?? '')
  }

  get bosText(): string {
    return this.#textOf(this.#vocabulary.bos)
  }

  get eosText(): string {
    return this.#textOf(this.#vocabulary.eos)
  }

  get controlTexts(): readonly string[] {
    return this.#special.controlTexts
  }

  encode(
    text: string,
    { addSpecialTokens = false }: { readonly addSpecialTokens?: boolean } = {},
  ): TokenId[] {
    const encode = () => this.#encode(text, addSpecialTokens)
    return text.length < LONG_TEXT ? encode() : this.#limit.run(text, encode)
  }

  #encode(text: string, addSpecialTokens: boolean): TokenId[] {
    const tokens: TokenId[] = []
    if (addSpecialTokens && this.#addBos) tokens.push(this.#vocabulary.bos!)
    let afterSpecial = true
    for (const fragment of this.#special.split(text.toWellFormed())) {
      if (typeof fragment === 'number') tokens.push(fragment)
      else for (const token of this.#encoder.encode(fragment, afterSpecial)) tokens.push(token)
      afterSpecial = typeof fragment === 'number'
    }
    if (addSpecialTokens && this.#addEos) tokens.push(this.#vocabulary.eos!)
    return tokens
  }

  decode(
    tokens: readonly TokenId[],
    { skipSpecialTokens = false }: { readonly skipSpecialTokens?: boolean } = {},
  ): string {
    const shown = skipSpecialTokens ? tokens.filter((token) => !this.#isControl(token)) : tokens
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(
      Buffer.concat(shown.map((token) => this.#piece(token))),
    )
  }

  bytesOf(token: TokenId): Uint8Array | undefined {
    return this.#isControl(token) ? undefined : this.#piece(token)
  }

  #isControl(token: TokenId): boolean {
    const type = this.#vocabulary.types[token]
    return type === TokenType.control || type === TokenType.unknown
  }

  #piece(token: TokenId): Uint8Array {
    return (this.#pieces[token] ??= this.#bytes(token))
  }

  #bytes(token: TokenId): Uint8Array {
    const { texts, types } = this.#vocabulary
    if (texts[token] === undefined)
      throw new RangeError(`Token ${token} does not exist; the vocabulary has ${this.vocabSize} tokens.`)
    switch (types[token]) {
      case TokenType.control:
      case TokenType.unknown:
      case TokenType.userDefined:
        return new TextEncoder().encode(texts[token])
      case TokenType.normal:
      case TokenType.byte:
        return this.#encoder.bytes(token)
      default:
        return new Uint8Array() // unused tokens have no text
    }
  }
}

function createEncoder(header: GgufHeader, vocabulary: Vocabulary): FragmentEncoder {
  const model = header.metadata.get('tokenizer.ggml.model')
  switch (model) {
    case 'gpt2':
    case 'gemma4':
      return new BytePairEncoder(header, vocabulary)
    case 'llama':
      return new SentencePieceEncoder(header, vocabulary)
    default:
      throw new ModelUnavailableError(
        `The model's kind of tokenizer is not supported (tokenizer.ggml.model: ${String(model)}). ` +
          'The local engine supports byte-pair encoding (gpt2) and SentencePiece (llama).',
      )
  }
}

/** Phi-3's special tokens remove the white space after them, which its files do not say (llama-vocab.cpp). */
function stripsAfter(modelName: unknown): (text: string) => boolean {
  if (typeof modelName !== 'string' || !/phi-?3/i.test(modelName)) return () => false
  return (text) => !['<unk>', '<s>', '<|endoftext|>'].includes(text)
}
