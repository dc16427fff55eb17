import type { AbortOptions } from '@petals-chat/engine'

/**
 * Runs a span of transformer blocks of one model, with the KV caches of many sessions. Native code computes in a child
 * process: when that dies, its caches fail with `EngineEndedError`, and the engine starts it again.
 *
 * Hidden states are `[batch, tokens, hidden]`, row-major float32. Blocks are numbered as in the whole model.
 */
export interface BlockEngine extends AsyncDisposable {
  readonly info: BlockEngineInfo
  /** Tokens of KV cache that are free: a session of T tokens over B of the N loaded blocks takes T·B/N of them. */
  readonly cacheTokensLeft: number
  /**
   * Reserves the KV cache of one session. Waits up to `timeoutMs` for room; the owner that has the least comes first.
   * @throws CacheFullError if there is no room in time, CacheTooLargeError if it can never fit, EngineEndedError
   */
  openCache(options: OpenCacheOptions): Promise<BlockCache>
  /**
   * A pass without an earlier cache (`rpc_forward`): all rows begin at position 0. It takes room in the KV pool while it runs.
   * @throws as `openCache` and `BlockCache.step`
   */
  forward(pass: SinglePass): Promise<Float32Array>
  /** False while the native process is started again: sessions wait for it, or fail. */
  readonly isReady: boolean
  /** Calls the listener after each change of `isReady`. */
  onReadiness(listener: () => void): void
  /** Resolves when the native process has ended for good (it could not be started again), with the reason. */
  readonly ended: Promise<Error>
}

/** What an engine has loaded, and its limits. */
export interface BlockEngineInfo {
  /** The blocks of the model that are loaded: [start, end). */
  readonly start: number
  readonly end: number
  readonly hiddenSize: number
  /** How the weights are kept, as `ServerInfo.quant_type` announces it: `none` for F32, F16 and BF16. */
  readonly quantization: 'none' | 'q8_0' | 'q4_k' | (string & {})
  /** The number type of the weights, as `ServerInfo.torch_dtype` announces it; that of the computation if they are quantized. */
  readonly dtype: 'float32' | 'float16' | 'bfloat16'
  /** Tokens of KV cache over all loaded blocks. */
  readonly cacheTokens: number
  /** The longest session in tokens. */
  readonly maxLength: number
  /** The most tokens, over all rows, that one pass may have. */
  readonly maxBatchTokens: number
}

export interface OpenCacheOptions extends AbortOptions {
  readonly start: number
  readonly end: number
  /** Sequences that are computed side by side, each with its own keys and values. */
  readonly batch: number
  /** Positions that the session may reach, ≥ 0. */
  readonly maxLength: number
  /** How long to wait for room; 0 for not at all. */
  readonly timeoutMs: number
  /** Whose session it is, by any name: owners share the room. Default: one owner for all such sessions. */
  readonly owner?: string | undefined
  /** Where the owner comes from, by any name: owners of one origin share as one does. Default: the owner's own. */
  readonly origin?: string | undefined
  /** Called when the room is given to another owner that has less. The cache is closed then, and its steps fail. */
  readonly onReclaimed?: (() => void) | undefined
}

/** The KV cache of one session over the blocks [start, end) that it was opened for. Disposing it frees its room at once. */
export interface BlockCache extends AsyncDisposable {
  /** Tokens of each row that are in the cache. */
  readonly position: number
  /**
   * Runs tokens from `position` on and returns the outputs, of the same shape. One call at a time. A step that was aborted or
   * failed leaves the cache at the position that it had; at the one that the step began at, if that was a rewind.
   * @throws InvalidPassError, EngineEndedError, CacheReclaimedError, the reason of the signal
   */
  step(pass: BlockStep): Promise<Float32Array>
}

/** Hidden states that go through the blocks [start, end). */
export interface BlockPass extends AbortOptions {
  readonly start: number
  readonly end: number
  readonly batch: number
  readonly tokens: number
  /** `[batch, tokens, hidden]`. */
  readonly states: Float32Array
  readonly prompts?: DeepPrompts | undefined
}

/** A pass without an earlier cache. */
export interface SinglePass extends BlockPass {
  /** As in `OpenCacheOptions`. */
  readonly owner?: string | undefined
  readonly origin?: string | undefined
}

export interface BlockStep extends BlockPass {
  /** Where the tokens begin: at most the present position (less is a rewind), which it is if left out. */
  readonly position?: number | undefined
  /** Before the step, row i takes the keys and values of row `hypoIds[i]` (beam search). */
  readonly hypoIds?: readonly number[] | undefined
}

/**
 * Trained prompts of each block: `[blocks, batch, length, hidden]`, added to the first `length` positions of the input of
 * the block. The batch may be 1 for all rows.
 */
export interface DeepPrompts {
  readonly length: number
  readonly values: Float32Array
}
