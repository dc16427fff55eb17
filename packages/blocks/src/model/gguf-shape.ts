import type { GgufHeader } from '@petals-chat/llama/gguf'
import type { BlockShape, RopeShape } from './block-shape.ts'
import { yarn } from './rope-scaling.ts'

/** llama.cpp's names of architectures, and how they compute. */
const kinds: Readonly<Record<string, Pick<BlockShape, 'kind'> & { readonly pairs: RopeShape['pairs'] }>> = {
  llama: { kind: 'llama', pairs: 'adjacent' },
  qwen2: { kind: 'llama', pairs: 'halves' },
  qwen3: { kind: 'llama', pairs: 'halves' },
  falcon: { kind: 'falcon', pairs: 'halves' },
  bloom: { kind: 'bloom', pairs: 'halves' },
}

type Metadata = GgufHeader['metadata']

/**
 * Reads what the blocks of a GGUF model compute, from its metadata (llama.cpp, gguf-py/gguf/constants.py).
 * @param ropeFactors the values of `rope_freqs.weight`, if the file has it
 * @throws Error that continues "The file can't be used: "
 */
export function shapeOfGguf(metadata: Metadata, ropeFactors: readonly number[] | undefined): BlockShape {
  const architecture = metadata.get('general.architecture')
  const known =
    typeof architecture === 'string' && Object.hasOwn(kinds, architecture) ? architecture : undefined
  if (known === undefined)
    throw new Error(`architecture '${String(architecture)}' is not one of ${Object.keys(kinds).join(', ')}`)
  const { number, optional } = readerOf(metadata, known)
  const [hiddenSize, heads] = [number('embedding_length'), number('attention.head_count')]
  const headSize = optional('attention.key_length') ?? hiddenSize / heads
  if ((optional('attention.value_length') ?? headSize) !== headSize)
    throw new Error('keys and values of different lengths are not known here')
  const experts = optional('expert_count') ?? 0
  return {
    kind: kinds[known]!.kind,
    modelType: known,
    blocks: number('block_count'),
    hiddenSize,
    heads,
    kvHeads: optional('attention.head_count_kv') ?? heads,
    headSize,
    feedForwardSize: number('feed_forward_length'),
    normEpsilon: optional('attention.layer_norm_rms_epsilon') ?? number('attention.layer_norm_epsilon'),
    contextLength: number('context_length'),
    rope: known === 'bloom' ? undefined : ropeOf(metadata, known, headSize, ropeFactors),
    slidingWindow: optional('attention.sliding_window'),
    experts: experts > 0 ? { count: experts, used: number('expert_used_count') } : undefined,
  }
}

function readerOf(metadata: Metadata, architecture: string) {
  const optional = (key: string): number | undefined => {
    const value = metadata.get(`${architecture}.${key}`)
    if (value === undefined || typeof value === 'number') return value
    throw new Error(`${architecture}.${key} is not one number for all blocks, which is not known here`)
  }
  const number = (key: string): number => {
    const value = optional(key)
    if (value === undefined) throw new Error(`${architecture}.${key} is missing`)
    return value
  }
  return { number, optional }
}

/** What releases of llama.cpp understand in different ways. */
const yarnKeys = ['attn_factor', 'yarn_attn_factor', 'yarn_ext_factor', 'yarn_log_multiplier']

function ropeOf(
  metadata: Metadata,
  architecture: string,
  headSize: number,
  factors: readonly number[] | undefined,
): RopeShape {
  const { optional } = readerOf(metadata, architecture)
  const scaling = metadata.get(`${architecture}.rope.scaling.type`) ?? 'none'
  const factor = optional('rope.scaling.factor') ?? 1
  const rope = {
    base: optional('rope.freq_base') ?? 10_000,
    size: optional('rope.dimension_count') ?? headSize,
    pairs: kinds[architecture]!.pairs,
  }
  const kept = { scale: 1, factors, magnitude: 1, positions: undefined }
  if (scaling === 'none') return { ...rope, ...kept }
  if (scaling === 'linear') return { ...rope, ...kept, scale: 1 / factor }
  if (scaling !== 'yarn' || factors)
    throw new Error(`rope.scaling.type '${String(scaling)}' is not known here (known are linear and yarn)`)
  const originalLength = optional('rope.scaling.original_context_length')
  if (originalLength === undefined)
    throw new Error(`${architecture}.rope.scaling.original_context_length is missing`)
  const unknown = yarnKeys.find((key) => optional(`rope.scaling.${key}`) !== undefined)
  if (unknown !== undefined) throw new Error(`rope.scaling.${unknown} is not known here`)
  const betaFast = optional('rope.scaling.yarn_beta_fast')
  const betaSlow = optional('rope.scaling.yarn_beta_slow')
  return { ...rope, ...yarn({ ...rope, factor, originalLength, betaFast, betaSlow }) }
}
