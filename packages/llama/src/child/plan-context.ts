/** The inputs of a context plan. Lengths in tokens, sizes in bytes. */
export interface ContextDemands {
  /** The longest text that the model was trained on. */
  readonly trainedLength: number
  readonly kvBytesPerToken: number
  /** From the config; undefined if it leaves them open. */
  readonly sequences: number | undefined
  readonly contextLength: number | undefined
  /** The free memory for the KV cache: of the machine or of the GPU. */
  readonly memoryBytes: number
  readonly onGpu: boolean
}

export interface ContextPlan {
  readonly sequences: number
  /** Of each session. */
  readonly contextLength: number
  readonly kvCacheBytes: number
}

const DEFAULT_SEQUENCES = 4
/** See `contextLength` in config.ts. */
const DEFAULT_LENGTH_CPU = 8192
const DEFAULT_LENGTH_GPU = 16_384
/** Before sessions become shorter than this, their number is reduced. */
const LEAST_USEFUL_LENGTH = 1024
const LEAST_LENGTH = 64
/** The whole cache is allocated at once, and other models and programs need memory, too. */
const MEMORY_SHARE = 0.25

/** Chooses how many sessions of which length fit into memory. Values of the config are never changed. */
export function planContext(demands: ContextDemands): ContextPlan {
  const { trainedLength, kvBytesPerToken, memoryBytes, onGpu } = demands
  const usual = onGpu ? DEFAULT_LENGTH_GPU : DEFAULT_LENGTH_CPU
  let contextLength = Math.min(demands.contextLength ?? usual, trainedLength)
  let sequences = demands.sequences ?? DEFAULT_SEQUENCES
  const isTooLarge = () => sequences * contextLength * kvBytesPerToken > memoryBytes * MEMORY_SHARE
  const shorten = (least: number) => {
    while (demands.contextLength === undefined && isTooLarge() && contextLength / 2 >= least) {
      contextLength = Math.floor(contextLength / 2)
    }
  }
  shorten(LEAST_USEFUL_LENGTH)
  while (demands.sequences === undefined && isTooLarge() && sequences > 1) sequences--
  shorten(LEAST_LENGTH)
  return { sequences, contextLength, kvCacheBytes: sequences * contextLength * kvBytesPerToken }
}
