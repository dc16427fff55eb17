import { GgufFormatError } from './byte-reader.ts'
import type { GgufHeader } from './gguf-header.ts'
import type { GgufArray, GgufValue } from './gguf-value.ts'

/** Bounds of values by which llama.cpp divides, allocates or indexes; real models are far from them. */
const sizes: ReadonlyArray<readonly [key: string, minimum: number, maximum: number]> = [
  ['context_length', 1, 2 ** 31 - 1],
  ['embedding_length', 1, 2 ** 20],
  ['block_count', 1, 2 ** 12],
]

/** The largest known vocabulary has 260,000 tokens. */
const MAX_TOKENS = 2 ** 20
/** The longest known tokens are runs of 128 signs. */
const MAX_TOKEN_LENGTH = 4096
/** Gemma has 6,400 and models for speech up to 65,536. This many cost half a second when a model loads, and nothing in a text without them. */
const MAX_SPECIAL_TOKENS = 2 ** 17
/** llama.h: enum llama_token_type. Ordinary tokens are 1, unused ones 5, bytes 6. */
const specialTypes: ReadonlySet<number> = new Set([2, 3, 4])

/**
 * Checks a well-formed header for values that would crash llama.cpp (its assertions end the process).
 * @throws GgufFormatError that names the field at fault.
 */
export function checkModel({ metadata, tensors }: GgufHeader): void {
  const architecture = metadata.get('general.architecture')
  if (typeof architecture !== 'string' || !/^[\w.-]{1,64}$/.test(architecture)) {
    throw new GgufFormatError('general.architecture', 'is missing or not a name')
  }
  if (tensors.length === 0)
    throw new GgufFormatError('the list of tensors', 'is empty: this file has no weights')
  for (const [name, minimum, maximum] of sizes) {
    checkSize(metadata, `${architecture}.${name}`, minimum, maximum)
  }
  checkHeads(metadata, architecture)
  for (const [weights, name] of counted)
    if (tensors.some((tensor) => weights.test(tensor.name))) checkCount(metadata, `${architecture}.${name}`)
  checkVocabulary(metadata)
}

/** Weights, and the number that says how many there are. llama.cpp takes a missing one for 0, and ends the process. */
const counted: readonly (readonly [weights: RegExp, name: string])[] = [
  [/^blk\.\d+\.ffn_down\.weight$/, 'feed_forward_length'],
  [/^blk\.\d+\.attn_(q|qkv|output)\.weight$/, 'attention.head_count'],
]

/** One number, or one for each block. */
function checkCount(metadata: ReadonlyMap<string, GgufValue>, key: string): void {
  const value = metadata.get(key)
  const counts = value !== undefined && isArray(value) ? value.numbers() : [value]
  const isCount = (count: unknown) =>
    Number.isInteger(count) && (count as number) >= 0 && (count as number) <= 2 ** 24
  if (counts.every(isCount) && counts.some((count) => count !== 0)) return
  throw new GgufFormatError(
    key,
    `must be a number above 0, because there are such weights, but is ${shown(value)}`,
  )
}

function checkSize(
  metadata: ReadonlyMap<string, GgufValue>,
  key: string,
  minimum: number,
  maximum: number,
): void {
  const value = metadata.get(key)
  if (typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= maximum) return
  throw new GgufFormatError(key, `must be an integer from ${minimum} to ${maximum}, but is ${shown(value)}`)
}

/** Head counts are one number, or one number for each block; a block without attention has 0. */
function checkHeads(metadata: ReadonlyMap<string, GgufValue>, architecture: string): void {
  for (const name of ['attention.head_count', 'attention.head_count_kv']) {
    const key = `${architecture}.${name}`
    const value = metadata.get(key)
    if (value === undefined) continue
    const counts = isArray(value) ? value.numbers() : [value]
    const isCount = (count: unknown) =>
      Number.isInteger(count) && (count as number) >= 0 && (count as number) <= 2 ** 16
    if (counts.length === 0 || !counts.every(isCount) || value === 0) {
      throw new GgufFormatError(key, `must be a number of heads, but is ${shown(value)}`)
    }
  }
}

function checkVocabulary(metadata: ReadonlyMap<string, GgufValue>): void {
  const tokens = metadata.get('tokenizer.ggml.tokens')
  if (tokens === undefined) return
  if (!isArray(tokens) || tokens.type !== 'string' || tokens.length === 0) {
    throw new GgufFormatError('tokenizer.ggml.tokens', 'is not a list of tokens')
  }
  for (const key of ['tokenizer.ggml.scores', 'tokenizer.ggml.token_type']) {
    const list = metadata.get(key)
    if (list !== undefined && !(isArray(list) && list.length >= tokens.length)) {
      throw new GgufFormatError(key, `does not have one entry for each of the ${tokens.length} tokens`)
    }
  }
  if (tokens.length > MAX_TOKENS)
    throw new GgufFormatError(
      'tokenizer.ggml.tokens',
      `has ${tokens.length} tokens; at most ${MAX_TOKENS} are allowed`,
    )
  checkTexts(tokens.strings())
  checkSpecial(metadata.get('tokenizer.ggml.token_type'))
}

function checkSpecial(types: GgufValue | undefined): void {
  if (types === undefined || !isArray(types)) return
  const count = types.numbers().filter((type) => specialTypes.has(type)).length
  if (count > MAX_SPECIAL_TOKENS)
    throw new GgufFormatError(
      'tokenizer.ggml.token_type',
      `has ${count} special tokens; at most ${MAX_SPECIAL_TOKENS} are allowed`,
    )
}

/** llama.cpp asserts that all tokens are distinct. It names empty ones after their position. */
function checkTexts(tokens: readonly string[]): void {
  const seen = new Set<string>()
  for (const [id, text] of tokens.entries()) {
    if (text.length > MAX_TOKEN_LENGTH)
      throw new GgufFormatError('tokenizer.ggml.tokens', `has a token of ${text.length} characters`)
    const name = text || `[EMPTY_${id}]`
    if (seen.has(name))
      throw new GgufFormatError('tokenizer.ggml.tokens', `has the token ${JSON.stringify(text)} twice`)
    seen.add(name)
  }
}

const isArray = (value: GgufValue): value is GgufArray => typeof value === 'object'

function shown(value: GgufValue | undefined): string {
  if (value === undefined) return 'missing'
  return isArray(value) ? `a list of ${value.length}` : JSON.stringify(value)
}
