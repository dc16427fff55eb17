import { ModelUnavailableError, type AbortOptions, type ModelFiles } from '@petals-chat/engine'
import { z } from 'zod'
import { readJsonFile } from './json-file.ts'

/** Model families whose local layers are known, by `model_type` in config.json. */
export type ModelType = 'llama' | 'mixtral' | 'falcon' | 'bloom'

export interface NormTensors {
  readonly kind: 'rms' | 'layer'
  /** Names to try, in order. */
  readonly weight: readonly string[]
  readonly bias?: readonly string[]
  readonly epsilon: number
}

/** Sizes of a model, and the tensors that the client uses itself (`petals/models/<family>/model.py`). */
export interface Architecture {
  readonly modelType: ModelType
  readonly hiddenSize: number
  readonly vocabularySize: number
  /** Number of transformer blocks, which servers hold. */
  readonly blocks: number
  /** Tokens that a session may have if the user configures no `maxSessionLength`. */
  readonly contextLength: number
  readonly embedding: readonly string[]
  readonly embeddingNorm?: NormTensors
  readonly finalNorm: NormTensors
  /** `tied`: the embedding matrix is the head. */
  readonly head: readonly string[] | 'tied'
  readonly bosToken: number | undefined
  readonly eosTokens: readonly number[]
}

/** Token ids in a configuration: none, one, or a list. */
export const tokenIdsSchema = z
  .union([z.int(), z.array(z.int()).max(1000)])
  .nullish()
  .transform((ids): readonly number[] => (ids === null || ids === undefined ? [] : [ids].flat()))

/**
 * The largest sizes, several times those of any known model: memory and requests to the DHT grow with them, and a
 * config.json is not trusted. Known are 126 blocks, a hidden size of 16,384, 260,000 tokens and 10,000,000 positions.
 */
const vocabularySize = z
  .int()
  .min(1)
  .max(2 ** 22)
const hiddenSize = z
  .int()
  .min(1)
  .max(2 ** 17)
const blockCount = z.int().min(1).max(1024)
const positionCount = z
  .int()
  .min(1)
  .max(2 ** 27)
const epsilon = z.number().positive().max(1)

/** The keys that are read, under all the names that the families use. Other keys are ignored. */
const configSchema = z.object({
  model_type: z.string(),
  vocab_size: vocabularySize,
  hidden_size: hiddenSize.optional(),
  n_embed: hiddenSize.optional(),
  num_hidden_layers: blockCount.optional(),
  n_layer: blockCount.optional(),
  max_position_embeddings: positionCount.optional(),
  seq_length: positionCount.optional(),
  alibi: z.boolean().optional(),
  rms_norm_eps: epsilon.optional(),
  layer_norm_epsilon: epsilon.optional(),
  tie_word_embeddings: z.boolean().optional(),
  bos_token_id: z.int().nullish(),
  eos_token_id: tokenIdsSchema,
})
type Config = z.output<typeof configSchema>

/** Training length of models whose config has none: BLOOM, the first Falcons. */
const usualPositions = 2048
/** Session length of models with rotary embeddings at chat.petals.dev, which servers allow (`--inference_max_length`). */
const rotarySessionLength = 8192

type Family = Pick<Architecture, 'embedding' | 'embeddingNorm' | 'finalNorm' | 'head'>

/** Returns a name with and without the prefix that some exports leave out. */
const withPrefix = (name: string): readonly string[] => [`transformer.${name}`, name]

function llama(config: Config): Family {
  return {
    embedding: ['model.embed_tokens.weight'],
    finalNorm: { kind: 'rms', weight: ['model.norm.weight'], epsilon: config.rms_norm_eps ?? 1e-6 },
    head: config.tie_word_embeddings === true ? 'tied' : ['lm_head.weight'],
  }
}

function layerNormOf(name: string, config: Config): NormTensors {
  return {
    kind: 'layer',
    weight: withPrefix(`${name}.weight`),
    bias: withPrefix(`${name}.bias`),
    epsilon: config.layer_norm_epsilon ?? 1e-5,
  }
}

function falcon(config: Config): Family {
  return {
    embedding: withPrefix('word_embeddings.weight'),
    finalNorm: layerNormOf('ln_f', config),
    head: config.tie_word_embeddings === false ? ['lm_head.weight'] : 'tied',
  }
}

function bloom(config: Config): Family {
  return { ...falcon(config), embeddingNorm: layerNormOf('word_embeddings_layernorm', config) }
}

const families: Readonly<Record<ModelType, (config: Config) => Family>> = {
  llama,
  mixtral: llama,
  falcon,
  bloom,
}

/**
 * Rotary embeddings work beyond the training length, and chat.petals.dev used that: it allowed 8192 tokens for Llama 2
 * (4096) and Falcon (2048). ALiBi models keep their own length, and so do toy models with less than 2048.
 */
function sessionLengthOf(config: Config): number {
  const positions = config.max_position_embeddings ?? config.seq_length ?? usualPositions
  const isRotary = config.model_type !== 'bloom' && config.alibi !== true
  return isRotary && positions >= usualPositions ? Math.max(positions, rotarySessionLength) : positions
}

const isModelType = (name: string): name is ModelType => Object.hasOwn(families, name)

/** Parses config.json. @throws ModelUnavailableError that names the invalid key */
export function parseArchitecture(json: unknown, description: string): Architecture {
  const refuse = (why: string): never => {
    throw new ModelUnavailableError(`config.json of ${description} can't be used: ${why}.`)
  }
  const parsed = configSchema.safeParse(json)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    return refuse(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'malformed'}`)
  }
  const config = parsed.data
  if (!isModelType(config.model_type)) {
    return refuse(`model_type '${config.model_type}' is not one of ${Object.keys(families).join(', ')}`)
  }
  return {
    modelType: config.model_type,
    hiddenSize: config.hidden_size ?? config.n_embed ?? refuse('it has no hidden_size'),
    vocabularySize: config.vocab_size,
    blocks: config.num_hidden_layers ?? config.n_layer ?? refuse('it has no num_hidden_layers'),
    contextLength: sessionLengthOf(config),
    bosToken: config.bos_token_id ?? undefined,
    eosTokens: config.eos_token_id,
    ...families[config.model_type](config),
  }
}

/** Reads config.json. @throws ModelUnavailableError */
export async function readArchitecture(files: ModelFiles, options?: AbortOptions): Promise<Architecture> {
  const json = await readJsonFile(files, 'config.json', options)
  if (json !== undefined) return parseArchitecture(json, files.description)
  throw new ModelUnavailableError(`${files.description} has no config.json: it is not a model.`)
}
