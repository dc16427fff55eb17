import type { BlockShape } from './model/block-shape.ts'

/**
 * The messages between the process of a server and the one that computes, over Node's IPC channel with structured clones
 * (typed arrays cross as bytes). The parent chooses the numbers of caches and requests. Blocks are counted from the first
 * loaded one.
 */
export type Command =
  | LoadCommand
  | ({ readonly type: 'open'; readonly cache: number; readonly request: number } & CacheSize)
  | { readonly type: 'close'; readonly cache: number; readonly request: number }
  | StepCommand
  | { readonly type: 'cancel'; readonly request: number }
  | { readonly type: 'ping' }

export interface CacheSize {
  readonly from: number
  readonly to: number
  readonly batch: number
  readonly maxLength: number
}

/** The first command: opens the libraries, checks them, and loads the weights. */
export interface LoadCommand {
  readonly type: 'load'
  readonly shape: BlockShape
  readonly blocks: number
  readonly tensors: readonly TensorLoad[]
  readonly settings: EngineSettings
}

export interface EngineSettings {
  /** The folder of llama.cpp's libraries. */
  readonly libraries: string
  readonly device: 'cpu' | 'gpu'
  readonly threads: ThreadRange
  readonly cacheType: 'f16' | 'f32'
  /** Tokens that each block's KV cache holds. */
  readonly cacheTokens: number
  /** The most tokens that are computed at once. */
  readonly sliceTokens: number
  /** About the longest time that a long pass computes before steps of other sessions come in between. */
  readonly sliceMs: number
}

/** A tensor, and where its bytes are on this machine. */
export interface TensorLoad {
  readonly block: number
  readonly name: string
  readonly storedType: number
  /** What it is converted to. */
  readonly type: number
  readonly shape: readonly number[]
  readonly pieces: readonly { readonly path: string; readonly offset: number; readonly length: number }[]
}

export interface StepCommand {
  readonly type: 'step'
  readonly request: number
  readonly cache: number
  readonly from: number
  readonly to: number
  readonly tokens: number
  readonly position: number
  readonly hypoIds?: readonly number[] | undefined
  /** `[batch, tokens, hidden]`. */
  readonly states: Float32Array
  readonly prompts?: { readonly length: number; readonly values: Float32Array } | undefined
}

export type Message =
  | { readonly type: 'progress'; readonly fraction: number }
  | ReadyMessage
  | { readonly type: 'load-failed'; readonly text: string }
  | { readonly type: 'done'; readonly request: number; readonly states?: Float32Array | undefined }
  | { readonly type: 'failed'; readonly request: number; readonly text: string }
  | { readonly type: 'pong' }
  /** A step has computed for longer than `limitMs`, many times as long as those before it. */
  | { readonly type: 'hung'; readonly limitMs: number }

export interface ReadyMessage {
  readonly type: 'ready'
  /** The device, for people. */
  readonly device: string
  readonly threads: Threads
  readonly weightBytes: number
  readonly cacheBytes: number
  readonly computeBytes: number
}

/** How many threads compute a step of few tokens, and a long one. */
export interface Threads {
  readonly decode: ThreadRange
  readonly prefill: ThreadRange
}

/** How many threads may compute a step. */
export interface ThreadRange {
  /** While other programs compute, too. */
  readonly usual: number
  /** While the other cores are idle. */
  readonly most: number
}
