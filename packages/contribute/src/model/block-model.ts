import { ContributeError } from '../contribute-error.ts'

/** The properties of a model's blocks in config.json. */
export interface BlockModel {
  readonly modelType: 'llama' | 'falcon' | 'bloom'
  readonly blocks: number
  readonly hiddenSize: number
  /** Query heads that share a key and value head. */
  readonly keyValueGroups: number
  readonly parametersPerBlock: number
  /** Bytes per weight in the files. */
  readonly fileBytesPerWeight: number
}

type Fields = Readonly<Record<string, unknown>>

/** Reads config.json as the pinned Petals does (`petals/models`). @throws ContributeError if Petals can't serve the model */
export function readBlockModel(text: string, name: string): BlockModel {
  const config = parse(text, name)
  const type = String(config.model_type)
  // Falcon was called RefinedWeb(Model) before transformers included it.
  const read = readers[/^refinedweb/i.test(type) ? 'falcon' : type]
  if (read === undefined) {
    throw new ContributeError(
      `${name} is a model of the type '${type}'. Petals 2.2.0 serves blocks of Llama, Falcon and BLOOM models, in the format of transformers.`,
    )
  }
  refuseNewerRope(config, name)
  const shape = read((key) => sizeOf(config, key, name), config)
  const fileBytesPerWeight = config.torch_dtype === 'float32' ? 4 : 2
  return { ...shape, fileBytesPerWeight }
}

/** Returns a size from the configuration. The names are in order of preference. */
type Size = (names: readonly string[]) => number

type Reader = (size: Size, config: Fields) => Omit<BlockModel, 'fileBytesPerWeight'>

const readers: Readonly<Record<string, Reader>> = {
  llama: (size, config) => {
    const [hidden, heads, inner] = [
      size(['hidden_size']),
      size(['num_attention_heads']),
      size(['intermediate_size']),
    ]
    const groups = heads / (optionalSize(config, 'num_key_value_heads') ?? heads)
    return {
      modelType: 'llama',
      blocks: size(['num_hidden_layers']),
      hiddenSize: hidden,
      keyValueGroups: groups,
      parametersPerBlock: 2 * hidden ** 2 + (2 * hidden ** 2) / groups + 3 * hidden * inner + 2 * hidden,
    }
  },
  falcon: (size, config) => {
    const [hidden, heads] = [size(['hidden_size']), size(['num_attention_heads', 'n_head'])]
    const groups = falconGroups(config, heads)
    return {
      modelType: 'falcon',
      blocks: size(['num_hidden_layers', 'n_layer']),
      hiddenSize: hidden,
      keyValueGroups: groups,
      parametersPerBlock: 10 * hidden ** 2 + (2 * hidden ** 2) / groups + 4 * hidden,
    }
  },
  bloom: (size) => {
    const hidden = size(['hidden_size', 'n_embed'])
    return {
      modelType: 'bloom',
      blocks: size(['num_hidden_layers', 'n_layer']),
      hiddenSize: hidden,
      keyValueGroups: 1,
      parametersPerBlock: 12 * hidden ** 2 + 13 * hidden,
    }
  },
}

function falconGroups(config: Fields, heads: number): number {
  if (config.new_decoder_architecture === true) {
    return heads / (optionalSize(config, 'num_kv_heads') ?? optionalSize(config, 'n_head_kv') ?? heads)
  }
  return config.multi_query === false ? 1 : heads
}

function parse(text: string, name: string): Fields {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Fields
  } catch {
    // The error is thrown below.
  }
  throw new ContributeError(
    `The config.json of ${name} is not a JSON object. Download the model's files again.`,
  )
}

function sizeOf(config: Fields, names: readonly string[], name: string): number {
  const value = names.map((key) => optionalSize(config, key)).find((size) => size !== undefined)
  if (value !== undefined) return value
  throw new ContributeError(
    `The config.json of ${name} has no valid ${names[0]}. Download the model's files again.`,
  )
}

function optionalSize(config: Fields, key: string): number | undefined {
  const value = config[key]
  return Number.isSafeInteger(value) && (value as number) > 0 && (value as number) < 1e7
    ? (value as number)
    : undefined
}

/** The pinned transformers supports `linear` and `dynamic` scaling, but not that of Llama 3.1. */
function refuseNewerRope({ rope_scaling: scaling }: Fields, name: string): void {
  if (typeof scaling !== 'object' || scaling === null) return
  const { type, rope_type: newType = type } = scaling as Fields
  if (['linear', 'dynamic'].includes(String(type)) && newType === type) return
  throw new ContributeError(
    `${name} uses the rotary scaling '${String(newType)}', which Petals 2.2.0 does not support: it can't serve Llama 3.1 and later. It can serve Llama 2, Llama 3 and models derived from them.`,
  )
}
