import { parseGenerationConfig, type GenerationParams } from '@petals-chat/engine'
import type { GgufHeader } from './gguf-header.ts'
import type { GgufArray, GgufValue } from './gguf-value.ts'
import { fileTypes } from './tensor-types.ts'

/** What a GGUF file says about its model. Lengths in tokens or elements, sizes in bytes. */
export interface GgufInfo {
  readonly path: string
  /** The size of this file; a model in several files is larger. */
  readonly fileSize: number
  readonly version: number
  readonly name: string | undefined
  /** llama.cpp's name: `llama`, `qwen2`, `gemma3` … */
  readonly architecture: string
  readonly license: string | undefined
  /** As in file names: `Q4_K_M`, `F16` … */
  readonly quantization: string
  readonly parameterCount: number
  /** The longest text that the model was trained on. */
  readonly contextLength: number
  readonly embeddingLength: number
  readonly blockCount: number
  readonly vocabSize: number
  /** Keys and values of one token in all blocks, at 16 bit. */
  readonly kvBytesPerToken: number
  /** Kind of tokenizer (`gpt2` is byte-level BPE, `llama` SentencePiece) and how it splits text first. */
  readonly tokenizer: { readonly model: string | undefined; readonly pre: string | undefined }
  /** Jinja source. */
  readonly chatTemplate: string | undefined
  /** The sampling parameters that the author recommends. */
  readonly generation: GenerationParams
}

const KV_ELEMENT_BYTES = 2
/** Rounds the float32 of 0.95, which is 0.949999988. */
const FLOAT32_DIGITS = 6

/** The header must have passed `checkModel`. */
export function describeModel(path: string, fileSize: number, header: GgufHeader): GgufInfo {
  const { metadata, tensors, version } = header
  const text = (key: string) => asText(metadata.get(key))
  const architecture = text('general.architecture') ?? 'unknown'
  const number = (key: string) => asNumber(metadata.get(`${architecture}.${key}`))
  const tokens = metadata.get('tokenizer.ggml.tokens')
  return {
    path,
    fileSize,
    version,
    name: text('general.name'),
    architecture,
    license: text('general.license'),
    quantization: quantization(header),
    parameterCount: tensors.reduce(
      (sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1),
      0,
    ),
    contextLength: number('context_length') ?? 0,
    embeddingLength: number('embedding_length') ?? 0,
    blockCount: number('block_count') ?? 0,
    vocabSize: typeof tokens === 'object' ? tokens.length : (number('vocab_size') ?? 0),
    kvBytesPerToken: kvBytesPerToken(metadata, architecture),
    tokenizer: { model: text('tokenizer.ggml.model'), pre: text('tokenizer.ggml.pre') },
    chatTemplate: text('tokenizer.chat_template'),
    generation: recommendedSampling(metadata),
  }
}

/** llama.cpp's keys of the author's recommendations, by their names in `transformers`. */
const samplingKeys = {
  temperature: 'general.sampling.temp',
  top_k: 'general.sampling.top_k',
  top_p: 'general.sampling.top_p',
  min_p: 'general.sampling.min_p',
  repetition_penalty: 'general.sampling.penalty_repeat',
}

function recommendedSampling(metadata: ReadonlyMap<string, GgufValue>): GenerationParams {
  const values = Object.entries(samplingKeys).flatMap(([name, key]) => {
    const value = asNumber(metadata.get(key))
    return value === undefined ? [] : [[name, Number(value.toPrecision(FLOAT32_DIGITS))] as const]
  })
  const params = parseGenerationConfig(Object.fromEntries(values))
  // At temperature 0, llama.cpp chooses the most probable token.
  return asNumber(metadata.get(samplingKeys.temperature)) === 0 ? { ...params, do_sample: false } : params
}

/** Returns the quantization that the file names, or else the type of most of the weights. */
function quantization({ metadata, tensors }: GgufHeader): string {
  const named = fileTypes.get(asNumber(metadata.get('general.file_type')) ?? -1)
  if (named !== undefined) return named
  const bytes = new Map<string, number>()
  for (const { type, byteLength } of tensors) bytes.set(type.name, (bytes.get(type.name) ?? 0) + byteLength)
  return [...bytes].reduce((most, entry) => (entry[1] > most[1] ? entry : most), ['unknown', 0])[0]
}

function kvBytesPerToken(metadata: ReadonlyMap<string, GgufValue>, architecture: string): number {
  const get = (key: string) => metadata.get(`${architecture}.${key}`)
  const blocks = asNumber(get('block_count')) ?? 0
  const heads = perBlock(get('attention.head_count'), blocks)
  const kvHeads = perBlock(get('attention.head_count_kv') ?? get('attention.head_count'), blocks)
  const embedding = asNumber(get('embedding_length')) ?? 0
  const headLength = embedding / Math.max(1, ...heads)
  const elements =
    (asNumber(get('attention.key_length')) ?? headLength) +
    (asNumber(get('attention.value_length')) ?? headLength)
  return Math.round(kvHeads.reduce((sum, count) => sum + count * elements, 0) * KV_ELEMENT_BYTES)
}

function perBlock(value: GgufValue | undefined, blocks: number): readonly number[] {
  if (typeof value === 'object') return value.numbers()
  return new Array<number>(blocks).fill(asNumber(value) ?? 0)
}

const asText = (value: GgufValue | undefined) => (typeof value === 'string' ? value : undefined)
const asNumber = (value: GgufValue | undefined) => (typeof value === 'number' ? value : undefined)

/** Returns an entry of the metadata as a list, or undefined if it is not one. */
export const asArray = (value: GgufValue | undefined): GgufArray | undefined =>
  typeof value === 'object' ? value : undefined
