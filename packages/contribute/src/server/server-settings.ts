import type { BlockSpan } from '@petals-chat/engine'
import type { Dtype, Quantization } from '../model/memory.ts'

/** How a server is reached from outside. */
export type Reach =
  /** Petals finds out whether it can be dialled, and takes a relay if not. */
  | { readonly kind: 'auto' }
  /** It never takes a relay. */
  | { readonly kind: 'direct' }
  /** It announces these addresses in place of those of its network interfaces. */
  | { readonly kind: 'announced'; readonly addresses: readonly string[] }
  /** Nothing listens: only the circuit relay at this address leads to it. */
  | { readonly kind: 'relay'; readonly address: string }

/** All that a Petals server is started with. */
export interface ServerSettings {
  /** Repository of the Hub, or a folder. */
  readonly model: string
  readonly revision?: string | undefined
  readonly swarm: 'public' | 'new' | readonly string[]
  readonly dhtPrefix?: string | undefined
  /** A number of blocks, which are chosen by need, or these; left out: as many as the GPU holds. */
  readonly blocks?: number | BlockSpan | undefined
  readonly adapters?: readonly string[] | undefined
  readonly quantization?: Quantization | undefined
  readonly dtype?: Dtype | undefined
  /** As PyTorch writes it: `cuda`, `cuda:1`, `mps`, `cpu`. */
  readonly device?: string | undefined
  /** Address to listen on; left out: all. */
  readonly host?: string | undefined
  /** 0 takes a free one. */
  readonly port: number
  readonly reach?: Reach | undefined
  readonly publicName?: string | undefined
  /** KV cache of each block, in tokens. */
  readonly cacheTokens?: number | undefined
  /** File of the server's identity; made if it is not there. */
  readonly identityPath: string
  /** Tokens a second to announce; left out: measured. */
  readonly throughput?: number | undefined
  /** Processes that take requests; left out: 8. */
  readonly handlers?: number | undefined
  /** Further arguments of Petals' `run_server`. */
  readonly extra?: readonly string[] | undefined
}
