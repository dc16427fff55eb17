import { kvSize, type BlockShape } from '../model/block-shape.ts'

/** A tensor that a block needs, and where a format keeps it. */
export interface Wanted {
  /** As in a GGUF file, without the block. */
  readonly name: string
  /** Alternatives in order: the names of the tensors that make it up, more than one for experts. */
  readonly from: readonly (readonly string[])[]
  /** The rows of a fused tensor that it has, in order. */
  readonly rows?: readonly RowRange[] | undefined
  /** Innermost first. */
  readonly shape: readonly number[]
  readonly isOptional?: boolean
}

export interface RowRange {
  readonly from: number
  readonly count: number
}

/** Lists the tensors of a block. */
export type TensorFormat = (shape: BlockShape, block: number) => readonly Wanted[]

/** A matrix and, in some models, its bias. */
function layer(
  name: string,
  from: string | readonly string[],
  [inputs, outputs]: readonly [number, number],
  rows?: readonly RowRange[],
): readonly Wanted[] {
  const sources = [from].flat()
  const named = (what: string) => sources.map((source) => [`${source}.${what}`])
  return [
    { name: `${name}.weight`, from: named('weight'), shape: [inputs, outputs], rows },
    { name: `${name}.bias`, from: named('bias'), shape: [outputs], rows, isOptional: true },
  ]
}

function norm(
  name: string,
  from: string | readonly string[],
  size: number,
  isOptional = false,
): readonly Wanted[] {
  const sources = [from].flat()
  return [
    { name: `${name}.weight`, from: sources.map((each) => [`${each}.weight`]), shape: [size], isOptional },
    { name: `${name}.bias`, from: sources.map((each) => [`${each}.bias`]), shape: [size], isOptional: true },
  ]
}

/** The matrices of all experts, one after the other, from one tensor or from one for each expert. */
function experts(
  name: string,
  whole: readonly string[],
  each: (expert: number) => string,
  shape: readonly [number, number, number],
): Wanted {
  const single = Array.from({ length: shape[2] }, (_, expert) => each(expert))
  return { name: `${name}.weight`, from: [...whole.map((tensor) => [tensor]), single], shape }
}

interface Sizes {
  readonly hidden: number
  readonly q: number
  readonly kv: number
  readonly feedForward: number
}

const sizesOf = (shape: BlockShape): Sizes => ({
  hidden: shape.hiddenSize,
  q: shape.heads * shape.headSize,
  kv: kvSize(shape),
  feedForward: shape.feedForwardSize,
})

/** The names of transformers (`model.safetensors`). */
export const huggingFaceTensors: TensorFormat = (shape, block) =>
  shape.kind === 'llama' ? hfLlama(shape, block) : hfFused(shape, block)

function hfLlama(shape: BlockShape, block: number): readonly Wanted[] {
  const { hidden, q, kv, feedForward } = sizesOf(shape)
  const at = `model.layers.${block}`
  return [
    ...norm('attn_norm', `${at}.input_layernorm`, hidden),
    ...layer('attn_q', `${at}.self_attn.q_proj`, [hidden, q]),
    ...layer('attn_k', `${at}.self_attn.k_proj`, [hidden, kv]),
    ...layer('attn_v', `${at}.self_attn.v_proj`, [hidden, kv]),
    ...layer('attn_output', `${at}.self_attn.o_proj`, [q, hidden]),
    ...norm('attn_q_norm', `${at}.self_attn.q_norm`, shape.headSize, shape.modelType !== 'qwen3'),
    ...norm('attn_k_norm', `${at}.self_attn.k_norm`, shape.headSize, shape.modelType !== 'qwen3'),
    ...norm('ffn_norm', `${at}.post_attention_layernorm`, hidden),
    ...(shape.experts
      ? hfExperts(shape, `${at}.block_sparse_moe`)
      : [
          ...layer('ffn_gate', `${at}.mlp.gate_proj`, [hidden, feedForward]),
          ...layer('ffn_up', `${at}.mlp.up_proj`, [hidden, feedForward]),
          ...layer('ffn_down', `${at}.mlp.down_proj`, [feedForward, hidden]),
        ]),
  ]
}

function hfExperts(shape: BlockShape, at: string): readonly Wanted[] {
  const { hidden, feedForward } = sizesOf(shape)
  const { count } = shape.experts!
  const each = (matrix: string) => (expert: number) => `${at}.experts.${expert}.${matrix}.weight`
  return [
    { name: 'ffn_gate_inp.weight', from: [[`${at}.gate.weight`]], shape: [hidden, count] },
    experts('ffn_gate_exps', [], each('w1'), [hidden, feedForward, count]),
    experts('ffn_down_exps', [], each('w2'), [feedForward, hidden, count]),
    experts('ffn_up_exps', [], each('w3'), [hidden, feedForward, count]),
  ]
}

/** Falcon and BLOOM: queries, keys and values of each group of heads are side by side in one matrix. */
function hfFused(shape: BlockShape, block: number): readonly Wanted[] {
  const { hidden, q, kv, feedForward } = sizesOf(shape)
  const places = [`transformer.h.${block}`, `h.${block}`]
  const at = (name: string) => places.map((place) => `${place}.${name}`)
  const rows = groupedRows(shape)
  const isFalcon = shape.kind === 'falcon'
  return [
    ...norm('attn_norm', [...(isFalcon ? at('ln_attn') : []), ...at('input_layernorm')], hidden),
    ...layer('attn_q', at('self_attention.query_key_value'), [hidden, q], rows.q),
    ...layer('attn_k', at('self_attention.query_key_value'), [hidden, kv], rows.k),
    ...layer('attn_v', at('self_attention.query_key_value'), [hidden, kv], rows.v),
    ...layer('attn_output', at('self_attention.dense'), [q, hidden]),
    ...norm('ffn_norm', isFalcon ? at('ln_mlp') : at('post_attention_layernorm'), hidden, isFalcon),
    ...layer('ffn_up', at('mlp.dense_h_to_4h'), [hidden, feedForward]),
    ...layer('ffn_down', at('mlp.dense_4h_to_h'), [feedForward, hidden]),
  ]
}

/** For each head of keys: the heads of queries that it serves, itself, its head of values. */
function groupedRows({ heads, kvHeads, headSize }: BlockShape) {
  const perGroup = heads / kvHeads
  const rows = (first: number, count: number): readonly RowRange[] =>
    Array.from({ length: kvHeads }, (_, group) => ({
      from: (group * (perGroup + 2) + first) * headSize,
      count: count * headSize,
    }))
  return { q: rows(0, perGroup), k: rows(perGroup, 1), v: rows(perGroup + 1, 1) }
}

/** The names of a GGUF file. */
export const ggufTensors: TensorFormat = (shape, block) => {
  const { hidden, q, kv, feedForward } = sizesOf(shape)
  const at = (name: string) => `blk.${block}.${name}`
  const isFalcon = shape.kind === 'falcon'
  const isFused = shape.kind !== 'llama'
  const fused = (name: string) => at(isFused ? 'attn_qkv' : name)
  const rows = (from: number, count: number) => (isFused ? [{ from, count }] : undefined)
  return [
    // Falcon 40B: `attn_norm` is before the feed-forward network.
    ...norm('attn_norm', [...(isFalcon ? [at('attn_norm_2')] : []), at('attn_norm')], hidden),
    ...layer('attn_q', fused('attn_q'), [hidden, q], rows(0, q)),
    ...layer('attn_k', fused('attn_k'), [hidden, kv], rows(q, kv)),
    ...layer('attn_v', fused('attn_v'), [hidden, kv], rows(q + kv, kv)),
    ...layer('attn_output', at('attn_output'), [q, hidden]),
    ...norm('attn_q_norm', at('attn_q_norm'), shape.headSize, shape.modelType !== 'qwen3'),
    ...norm('attn_k_norm', at('attn_k_norm'), shape.headSize, shape.modelType !== 'qwen3'),
    ...norm('ffn_norm', isFalcon ? at('attn_norm') : at('ffn_norm'), hidden),
    ...(shape.experts
      ? ggufExperts(shape, at)
      : [
          ...(isFused ? [] : layer('ffn_gate', at('ffn_gate'), [hidden, feedForward])),
          ...layer('ffn_up', at('ffn_up'), [hidden, feedForward]),
          ...layer('ffn_down', at('ffn_down'), [feedForward, hidden]),
        ]),
  ]
}

function ggufExperts(shape: BlockShape, at: (name: string) => string): readonly Wanted[] {
  const { hidden, feedForward } = sizesOf(shape)
  const { count } = shape.experts!
  const matrices = (name: string, [inputs, outputs]: readonly [number, number]) =>
    experts(`${name}_exps`, [at(`${name}_exps.weight`)], (expert) => at(`${name}.${expert}.weight`), [
      inputs,
      outputs,
      count,
    ])
  return [
    { name: 'ffn_gate_inp.weight', from: [[at('ffn_gate_inp.weight')]], shape: [hidden, count] },
    matrices('ffn_gate', [hidden, feedForward]),
    matrices('ffn_up', [hidden, feedForward]),
    matrices('ffn_down', [feedForward, hidden]),
  ]
}
