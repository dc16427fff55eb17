import type { AbortOptions } from '../abort.ts'

/** What the swarms of this server's models look like, for people and for `GET /api/v1/swarm`. */
export interface SwarmView {
  /** It is the swarm of petals.dev, whose servers belong to strangers; a private one otherwise. */
  readonly isPublic?: boolean | undefined
  status(options?: AbortOptions): Promise<SwarmStatus>
}

export interface SwarmStatus {
  readonly models: readonly SwarmModelStatus[]
  /** Why the swarm could not be asked which models it has, in words; then there are none here. */
  readonly problem?: string | undefined
}

export interface SwarmModelStatus {
  /** Id of the model on this server. */
  readonly id: string
  readonly dhtPrefix: string
  /** Transformer blocks of the model. */
  readonly blocks: number
  /** Online servers for each block. */
  readonly replicas: readonly number[]
  /** False: no peer of the swarm could be asked. Nothing is known to be missing then; `problem` says what to check. */
  readonly reachable: boolean
  /** Every block has an online server. */
  readonly servable: boolean
  readonly missingBlocks: readonly number[]
  /** The block with the least announced throughput: what bounds everybody. */
  readonly bottleneck:
    { readonly block: number; readonly replicas: number; readonly throughput: number } | undefined
  readonly servers: readonly SwarmServerStatus[]
  /** Multiaddrs by which a new server can join this swarm. */
  readonly initialPeers: readonly string[]
  /** Age of the newest look at the swarm; undefined before the first. */
  readonly ageMs: number | undefined
  /** Why there is no news of this swarm, in words. */
  readonly problem?: string | undefined
  /** What another machine runs to hold blocks of this model: a command for each gap, or one without `blocks`. */
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
  /** For a shell of Unix or PowerShell, as it is. */
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
  /** Tokens a second, as the server measured itself. */
  readonly throughput: number
  /** Tokens a second through one block. */
  readonly inferenceRps: number | undefined
  readonly dtype: string | undefined
  readonly quantization: string | undefined
  readonly adapters: readonly string[]
  readonly usesRelay: boolean | undefined
  /** Room of its KV cache: tokens of sessions through all its blocks. */
  readonly cacheTokensLeft: number | undefined
  /** Smoothed round trip from here; undefined before the first ping, Infinity if it does not answer. */
  readonly rttMs: number | undefined
  /** Left alone after failures for so long; 0 if it is not. */
  readonly bannedForMs: number
}

/** What an answer waits for in a swarm: no server answers for these blocks just now. */
export interface SwarmWait {
  /** Blocks [start, end), in order. */
  readonly blocks: readonly { readonly start: number; readonly end: number }[]
  /** When the wait began, milliseconds since 1970. */
  readonly since: number
  /** When the answer is given up unless a server comes to life before. */
  readonly until: number
}

/** The way that an answer took through the swarm. */
export interface RouteReport {
  readonly hops: readonly RouteHop[]
  readonly failovers: readonly Failover[]
  /** Outputs go from server to server instead of through this machine. */
  readonly pushed: boolean
}

export interface RouteHop {
  readonly peer: string
  readonly publicName: string | undefined
  /** Blocks [start, end). */
  readonly start: number
  readonly end: number
  /** Median time of a decode step there, as seen from here; undefined before the first. */
  readonly stepMs: number | undefined
}

/** A server that was left in mid-answer, and what came of it. */
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
}

/** `waiting for a server of blocks 12-23, 30`: for people. */
export function describeWait({ blocks }: SwarmWait): string {
  const ranges = blocks.map(({ start, end }) => (end - start === 1 ? `${start}` : `${start}-${end - 1}`))
  const isOne = blocks.length === 1 && blocks[0]!.end - blocks[0]!.start === 1
  return `waiting for a server of ${isOne ? 'block' : 'blocks'} ${ranges.join(', ')}`
}
