import type { AbortOptions } from '../abort.ts'

/** The state of the swarms of this server's models, for people and for `GET /api/v1/swarm`. */
export interface SwarmView {
  /** True for the swarm of petals.dev, whose servers belong to strangers; false for a private one. */
  readonly isPublic?: boolean | undefined
  status(options?: AbortOptions): Promise<SwarmStatus>
}

export interface SwarmStatus {
  readonly models: readonly SwarmModelStatus[]
  /** Why the models of the swarm could not be listed, as a sentence; then `models` is empty. */
  readonly problem?: string | undefined
}

export interface SwarmModelStatus {
  /** Id of the model on this server. */
  readonly id: string
  readonly dhtPrefix: string
  /** URL of the model's page as its servers have registered it, of a model that is not in the configuration. Any peer can write it. */
  readonly repository?: string | undefined
  /** Transformer blocks of the model. */
  readonly blocks: number
  /** Online servers for each block. */
  readonly replicas: readonly number[]
  /** False if no peer of the swarm could be reached. Then no block is known to be missing; `problem` says what to check. */
  readonly reachable: boolean
  /** Every block has an online server. */
  readonly servable: boolean
  readonly missingBlocks: readonly number[]
  /** The block with the least announced throughput, which limits every answer. */
  readonly bottleneck:
    { readonly block: number; readonly replicas: number; readonly throughput: number } | undefined
  readonly servers: readonly SwarmServerStatus[]
  /** Multiaddrs by which a new server can join this swarm. */
  readonly initialPeers: readonly string[]
  /** Time since the swarm was last queried; undefined before the first query. */
  readonly ageMs: number | undefined
  /** Why the status could not be updated, as a sentence. */
  readonly problem?: string | undefined
  /** Commands with which another machine serves blocks of this model: one for each gap, or one without `blocks`. */
  readonly join?: readonly SwarmJoinCommand[] | undefined
}

/** Blocks [start, end). */
export interface BlockSpan {
  readonly start: number
  readonly end: number
}

/** A command that makes a machine a server of a model. */
export interface SwarmJoinCommand {
  /** Blocks that its server holds; left out: those that the swarm needs most. */
  readonly blocks?: BlockSpan | undefined
  /** Ready to paste into a Unix shell or PowerShell. */
  readonly command: string
}

export interface SwarmServerStatus {
  /** Peer id, base58. */
  readonly peer: string
  readonly publicName: string | undefined
  readonly state: 'offline' | 'joining' | 'online'
  readonly version: string | undefined
  /** Blocks [start, end). */
  readonly start: number
  readonly end: number
  /** Tokens per second, as measured by the server itself. */
  readonly throughput: number
  /** Tokens per second through one block. */
  readonly inferenceRps: number | undefined
  readonly dtype: string | undefined
  readonly quantization: string | undefined
  /** `dtype` and `quantization` in a few characters, as `precisionName` returns them. */
  readonly precision?: string | undefined
  readonly adapters: readonly string[]
  readonly usesRelay: boolean | undefined
  /** Free space of its KV cache: tokens of sessions through all its blocks. */
  readonly cacheTokensLeft: number | undefined
  /** Smoothed round trip from here; undefined before the first ping, Infinity if it does not answer. */
  readonly rttMs: number | undefined
  /** Time for which it is still avoided after failures; 0 if it is not. */
  readonly bannedForMs: number
  /** What spot checks have found against the server; undefined: nothing. */
  readonly verdict?: SwarmVerdict | undefined
}

/** A server computes something else than other servers of the same blocks. */
export interface SwarmVerdict {
  /** `wrong`: the server is at fault, and is not used; `disputed`: it or another one is, and it is not known which. */
  readonly kind: 'wrong' | 'disputed'
  /** Peer ids of the servers that compute something else. */
  readonly against: readonly string[]
  /** The difference of its outputs from theirs, as a share of their length: 0 is the same. */
  readonly difference: number
  /** For how much longer the verdict holds. */
  readonly remainingMs: number
}

/** A wait of an answer in a swarm: no server of these blocks responds at the moment. */
export interface SwarmWait {
  /** Blocks [start, end), in order. */
  readonly blocks: readonly { readonly start: number; readonly end: number }[]
  /** When the wait began, milliseconds since 1970. */
  readonly since: number
  /** When the answer fails unless a server appears before, milliseconds since 1970. */
  readonly until: number
}

/** The route of an answer through the swarm, and the failures on it. */
export interface RouteReport {
  readonly hops: readonly RouteHop[]
  readonly failovers: readonly Failover[]
  /** True if outputs go from server to server instead of through this machine. */
  readonly pushed: boolean
  /** Tokens of the answer for each step of the servers; undefined if no tokens were guessed in advance, so that it is one. */
  readonly tokensPerStep?: number | undefined
}

export interface RouteHop {
  readonly peer: string
  readonly publicName: string | undefined
  /** Blocks [start, end). */
  readonly start: number
  readonly end: number
  /** Median time of a decode step there, as seen from here; undefined before the first. */
  readonly stepMs: number | undefined
  /** Another server of the same blocks that follows the session and can take over at once. */
  readonly standby?: RouteStandby | undefined
}

export interface RouteStandby {
  readonly peer: string
  readonly publicName: string | undefined
  /** Tokens of the session that it holds. */
  readonly position: number
}

/** A server that failed during an answer, and how it was replaced. */
export interface Failover {
  readonly peer: string
  readonly publicName: string | undefined
  readonly start: number
  readonly end: number
  readonly reason: string
  /** Tokens in the session when it happened. */
  readonly position: number
  /** From the failure to the first result of the new servers. */
  readonly pauseMs: number
  readonly replacedBy: readonly { readonly peer: string; readonly publicName: string | undefined }[]
  /**
   * The server was found to compute something else than its blocks: what the session holds from this position on, up to
   * `position`, was made with its outputs and may be wrong. Undefined for every other failure.
   */
  readonly wrongFrom?: number | undefined
  /** A standby took over, which held the session already. */
  readonly byStandby?: boolean | undefined
  /** How the server computed and how its replacement does, where that differs: the answer may go on with other words. */
  readonly precision?: PrecisionChange | undefined
}

/** Names such as `F32`, `Q8_0` (`precisionName`); `F32 (PyTorch)` and `F32 (llama.cpp)` where only the programs differ. */
export interface PrecisionChange {
  readonly before: string
  readonly after: string
}

/** Describes a wait for people: `waiting for a server of blocks 12-23, 30`. */
export function describeWait({ blocks }: SwarmWait): string {
  const ranges = blocks.map(({ start, end }) => (end - start === 1 ? `${start}` : `${start}-${end - 1}`))
  const isOne = blocks.length === 1 && blocks[0]!.end - blocks[0]!.start === 1
  return `waiting for a server of ${isOne ? 'block' : 'blocks'} ${ranges.join(', ')}`
}
