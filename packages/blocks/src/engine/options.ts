import type { AbortOptions, LoadProgress, Logger } from '@petals-chat/engine'
import type { GpuName } from '@petals-chat/llama'
import type { WeightType } from '../model/weight-types.ts'
import type { BlockModel } from '../weights/block-model.ts'

export interface BlockEngineOptions extends AbortOptions {
  readonly model: BlockModel
  /** The blocks to load: [start, end). */
  readonly start: number
  readonly end: number
  /** How weights are kept (default: as in the file). Quantized files are kept as they are. */
  readonly weights?: WeightType | undefined
  /** Where blocks are computed (default `cpu`). Only the CPU has been measured. */
  readonly device?: 'cpu' | GpuName | undefined
  /** The number type of keys and values (default `f16`). */
  readonly cacheType?: 'f16' | 'f32' | undefined
  /** Tokens of KV cache over all loaded blocks (default: what fits, at most 16,384). */
  readonly cacheTokens?: number | undefined
  /** The longest session in tokens (default: that of the model, at least 8192 with rotary positions). */
  readonly maxLength?: number | undefined
  /** The most tokens, over all rows, of one pass (default 8192). */
  readonly maxBatchTokens?: number | undefined
  /** The most threads that compute (default: as many as cores while all are idle, else one less). */
  readonly threads?: number | undefined
  /** The most memory for weights, KV cache and computation, in bytes (default: nine tenths of what is free). */
  readonly memoryBytes?: number | undefined
  /** How often within ten minutes the process is started again after it died (default 5). */
  readonly maxRestarts?: number | undefined
  /** How long the process may answer nothing before it is ended and started again, in milliseconds (default 60,000). */
  readonly unresponsiveMs?: number | undefined
  /** How long loading may make no progress before the process is ended, in milliseconds (default 180,000). */
  readonly loadStallMs?: number | undefined
  readonly logger?: Logger | undefined
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined
}
