import { z } from 'zod'
import type { BlockKind, BlockShape, RopeShape } from './block-shape.ts'
import { ropeScalingSchema, scaleRope } from './rope-scaling.ts'

const size = z
  .int()
  .min(1)
  .max(2 ** 20)
const sizeOrNone = size.nullish()

/** The keys of config.json that are read, under all the names that the families use. */
const configSchema = z.object({
  model_type: z.string(),
  hidden_size: size.optional(),
  n_embed: size.optional(),
  num_hidden_layers: size.optional(),
  n_layer: size.optional(),
  num_attention_heads: size.optional(),
  n_head: size.optional(),
  num_key_value_heads: sizeOrNone,
  num_kv_heads: sizeOrNone,
  head_dim: sizeOrNone,
  intermediate_size: size.optional(),
  ffn_hidden_size: sizeOrNone,
  rms_norm_eps: z.number().positive().max(1).optional(),
  layer_norm_epsilon: z.number().positive().max(1).optional(),
  max_position_embeddings: z.int().min(1).optional(),
  seq_length: z.int().min(1).optional(),
  rope_theta: z.number().positive().optional(),
  rope_scaling: ropeScalingSchema,
  sliding_window: sizeOrNone,
  use_sliding_window: z.boolean().optional(),
  num_local_experts: size.optional(),
  num_experts_per_tok: size.optional(),
  hidden_act: z.string().optional(),
  alibi: z.boolean().optional(),
  multi_query: z.boolean().optional(),
  new_decoder_architecture: z.boolean().optional(),
  parallel_attn: z.boolean().optional(),
  apply_residual_connection_post_layernorm: z.boolean().optional(),
})
type Config = z.output<typeof configSchema>

interface Sizes {
  readonly hiddenSize: number
  readonly heads: number
  readonly blocks: number
}
type Family = Omit<BlockShape, 'modelType' | 'hiddenSize' | 'heads' | 'blocks' | 'contextLength'>

/** Training length of models whose config has none: BLOOM, the first Falcons. */
const usualPositions = 2048

const families: Readonly<Record<string, (config: Config, sizes: Sizes) => Family>> = {
  llama: (config, sizes) => llama(config, sizes),
  mistral: (config, sizes) => ({
    ...llama(config, sizes),
    slidingWindow: config.sliding_window ?? undefined,
  }),
  mixtral: (config, sizes) => mixtral(config, sizes),
  qwen2: (config, sizes) => qwen(config, sizes),
  qwen3: (config, sizes) => qwen(config, sizes),
  falcon: (config, sizes) => falcon(config, sizes),
  bloom: (config, sizes) => bloom(config, sizes),
}

/** Reads what the blocks of a model compute. @throws Error that continues "config.json can't be used: " */
export function shapeOfConfig(json: unknown): BlockShape {
  const { data: config, error } = configSchema.safeParse(json)
  if (!config) {
    const [issue] = error.issues
    throw new Error(`${issue?.path.join('.')}: ${issue?.message}`)
  }
  const family = Object.hasOwn(families, config.model_type) ? families[config.model_type] : undefined
  if (!family)
    throw new Error(`model_type '${config.model_type}' is not one of ${Object.keys(families).join(', ')}`)
  const sizes = {
    hiddenSize: required(config.hidden_size ?? config.n_embed, 'hidden_size'),
    heads: required(config.num_attention_heads ?? config.n_head, 'num_attention_heads'),
    blocks: required(config.num_hidden_layers ?? config.n_layer, 'num_hidden_layers'),
  }
  const shape = family(config, sizes)
  return {
    ...shape,
    ...sizes,
    modelType: config.model_type,
    contextLength: Math.max(positionsOf(config), shape.rope?.positions ?? 0),
  }
}

const positionsOf = (config: Config): number =>
  config.max_position_embeddings ?? config.seq_length ?? usualPositions

function required<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`it has no ${name}`)
  return value
}

function llama(config: Config, sizes: Sizes): Family {
  if (config.hidden_act !== undefined && config.hidden_act !== 'silu')
    throw new Error(`its activation '${config.hidden_act}' is not known here (known is silu)`)
  const headSize = config.head_dim ?? sizes.hiddenSize / sizes.heads
  return {
    ...base('llama', headSize),
    kvHeads: config.num_key_value_heads ?? sizes.heads,
    feedForwardSize: required(config.intermediate_size, 'intermediate_size'),
    normEpsilon: config.rms_norm_eps ?? 1e-6,
    rope: ropeOf(config, headSize),
  }
}

const base = (kind: BlockKind, headSize: number) => ({
  kind,
  headSize,
  slidingWindow: undefined,
  experts: undefined,
})

function ropeOf(config: Config, headSize: number): RopeShape {
  const theta = config.rope_theta ?? 10_000
  const rope = { base: theta, size: headSize }
  const scaled = scaleRope(config.rope_scaling, { ...rope, contextLength: positionsOf(config) })
  return { ...rope, pairs: 'halves', ...scaled }
}

function mixtral(config: Config, sizes: Sizes): Family {
  return {
    ...llama(config, sizes),
    slidingWindow: config.sliding_window ?? undefined,
    experts: { count: config.num_local_experts ?? 8, used: config.num_experts_per_tok ?? 2 },
  }
}

function qwen(config: Config, sizes: Sizes): Family {
  // It would begin at some block (max_window_layers); no released model uses it.
  if (config.use_sliding_window === true) throw new Error('use_sliding_window is not known here')
  return llama(config, sizes)
}

function falcon(config: Config, { hiddenSize, heads }: Sizes): Family {
  if (config.alibi === true || config.parallel_attn === false)
    throw new Error('Falcon models with ALiBi or without parallel attention are not known here')
  const headSize = hiddenSize / heads
  const isNew = config.new_decoder_architecture === true
  return {
    ...base('falcon', headSize),
    kvHeads: isNew ? (config.num_kv_heads ?? 8) : config.multi_query === false ? heads : 1,
    feedForwardSize: config.ffn_hidden_size ?? 4 * hiddenSize,
    normEpsilon: config.layer_norm_epsilon ?? 1e-5,
    rope: ropeOf(config, headSize),
  }
}

function bloom(config: Config, { hiddenSize, heads }: Sizes): Family {
  if (config.apply_residual_connection_post_layernorm === true)
    throw new Error('apply_residual_connection_post_layernorm is not known here')
  return {
    ...base('bloom', hiddenSize / heads),
    kvHeads: heads,
    feedForwardSize: 4 * hiddenSize,
    normEpsilon: config.layer_norm_epsilon ?? 1e-5,
    rope: undefined,
  }
}
