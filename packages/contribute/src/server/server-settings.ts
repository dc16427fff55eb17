import type { BlockSpan } from '@petals-chat/engine'
import type { Dtype, Quantization } from '../model/memory.ts'

/** How other peers reach a server. */
export type Reach =
  /** Petals detects whether the server can be dialled, and uses a relay if not. */
  | { readonly kind: 'auto' }
  /** The server never uses a relay. */
  | { readonly kind: 'direct' }
  /** The server announces these addresses instead of those of its network interfaces. */
  | { readonly kind: 'announced'; readonly addresses: readonly string[] }
  /** The server does not listen: peers reach it only through the circuit relay at this address. */
  | { readonly kind: 'relay'; readonly address: string }

/** The settings of a Petals server. */
export interface ServerSettings {
  /** Repository of the Hub, or a folder. */
  readonly model: string
  readonly revision?: string | undefined
  readonly swarm: 'public' | 'new' | readonly string[]
  readonly dhtPrefix?: string | undefined
  /** A number of blocks, which Petals chooses by need, or these blocks; by default as many as the GPU holds. */
  readonly blocks?: number | BlockSpan | undefined
  readonly adapters?: readonly string[] | undefined
  readonly quantization?: Quantization | undefined
  readonly dtype?: Dtype | undefined
  /** As PyTorch writes it: `cuda`, `cuda:1`, `mps`, `cpu`. */
  readonly device?: string | undefined
  /** The address to listen on; by default all. */
  readonly host?: string | undefined
  /** 0 chooses a free port. */
  readonly port: number
  readonly reach?: Reach | undefined
  readonly publicName?: string | undefined
  /** KV cache of each block, in tokens. */
  readonly cacheTokens?: number | undefined
  /** The file of the server's identity; it is created if it does not exist. */
  readonly identityPath: string
  /** The announced throughput in tokens per second; by default it is measured. */
  readonly throughput?: number | undefined
  /** The number of processes that handle requests; by default 8. */
  readonly handlers?: number | undefined
  /** Further arguments of Petals' `run_server`. */
  readonly extra?: readonly string[] | undefined
}
