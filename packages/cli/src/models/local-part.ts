/** The part of a model that a swarm's client holds itself, as its config.json describes it. */
export interface LocalPart {
  readonly vocabSize: number
  readonly hiddenSize: number
  /** The LM head is the embedding matrix itself. */
  readonly tiedEmbeddings: boolean
}

/** Names of the hidden size in the architectures; Petals serves llama, mixtral, falcon and bloom. */
const hiddenSizeKeys = ['hidden_size', 'n_embed', 'n_embd', 'd_model'] as const

/**
 * Architectures whose LM head is a separate matrix if config.json says nothing; for the others the default of
 * `PretrainedConfig` holds: tied (transformers: `tie_word_embeddings` of LlamaConfig, MistralConfig, MixtralConfig).
 */
const untiedByDefault: ReadonlySet<unknown> = new Set(['llama', 'mistral', 'mixtral'])

/** Reads a config.json; undefined if it does not say how large the embeddings are. */
export function readLocalPart(configJson: string): LocalPart | undefined {
  const config = parseObject(configJson)
  if (config === undefined) return undefined
  const vocabSize = config.vocab_size
  const hiddenSize = hiddenSizeKeys.map((key) => config[key]).find(isSize)
  if (!isSize(vocabSize) || hiddenSize === undefined) return undefined
  const tied = config.tie_word_embeddings
  const tiedEmbeddings = typeof tied === 'boolean' ? tied : !untiedByDefault.has(config.model_type)
  return { vocabSize, hiddenSize, tiedEmbeddings }
}

/** Returns the bytes of embeddings and LM head together in 16 bits; in 32 bits they take twice as much. */
export function localPartBytes({ vocabSize, hiddenSize, tiedEmbeddings }: LocalPart): number {
  return vocabSize * hiddenSize * (tiedEmbeddings ? 1 : 2) * 2
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null
      ? (value as Readonly<Record<string, unknown>>)
      : undefined
  } catch {
    return undefined
  }
}
