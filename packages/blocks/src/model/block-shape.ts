/** The kinds of blocks that can be computed. Families of models that compute alike share one. */
export type BlockKind = 'llama' | 'falcon' | 'bloom'

/**
 * What a transformer block of a model computes, from config.json or from the metadata of a GGUF file. Lengths are in elements.
 */
export interface BlockShape {
  readonly kind: BlockKind
  /** The name in the file: `llama`, `mistral`, `qwen2` … */
  readonly modelType: string
  readonly blocks: number
  readonly hiddenSize: number
  readonly heads: number
  /** Heads of keys and values: each serves heads/kvHeads heads of queries. */
  readonly kvHeads: number
  readonly headSize: number
  readonly feedForwardSize: number
  readonly normEpsilon: number
  /** Positions that the model was trained on, or scaled to. */
  readonly contextLength: number
  /** Rotary positions; undefined for ALiBi. */
  readonly rope: RopeShape | undefined
  /** A token sees at most this many tokens, itself included; undefined for all before it. */
  readonly slidingWindow: number | undefined
  /** A mixture of experts; undefined for one feed-forward network. */
  readonly experts: { readonly count: number; readonly used: number } | undefined
}

export interface RopeShape {
  readonly base: number
  /** Elements of each head that are rotated. */
  readonly size: number
  /** Which elements are pairs: side by side (GGUF of Llama) or in two halves (Hugging Face). */
  readonly pairs: 'adjacent' | 'halves'
  /** Positions are multiplied by it (linear scaling: 1/factor). */
  readonly scale: number
  /** Each pair's frequency is divided by it (Llama 3, YaRN); undefined for 1. It has size/2 values. */
  readonly factors: readonly number[] | undefined
  /** Rotated values are multiplied by it (YaRN). */
  readonly magnitude: number
  /** Positions that the scaling was made for; undefined if that is not known. */
  readonly positions: number | undefined
}

/** Elements of the keys, and of the values, of one token in one block. */
export const kvSize = ({ kvHeads, headSize }: Pick<BlockShape, 'kvHeads' | 'headSize'>): number =>
  kvHeads * headSize
