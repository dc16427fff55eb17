import type { AbortOptions, Logger } from '@petals-chat/engine'
import type { BlockRange, ListeningLimits } from '@petals-chat/petals/protocol'
import type { AnnouncedModel } from '../announce/announcer.ts'
import type { Throughput } from '../announce/throughput.ts'
import type { BlockEngine } from '../engine/block-engine.ts'
import type { ServingLimits } from '../sessions/host.ts'

export interface BlockServerOptions extends AbortOptions {
  readonly model: AnnouncedModel
  /** The blocks to serve; or how many: the server then takes those that the swarm needs most, and moves when others are needed more. */
  readonly blocks: BlockRange | number
  /** Loads blocks. Called again if the server moves, after the engine before was disposed. */
  readonly openEngine: (blocks: BlockRange, options: AbortOptions) => Promise<BlockEngine>
  /** Addresses of peers of the swarm; without any, this server is the first of a new one. */
  readonly initialPeers: readonly string[]
  /** Default: a free TCP port of all addresses of this machine, of IPv4 and IPv6. */
  readonly listen?: readonly string[] | undefined
  /** Addresses to announce instead of the own ones; behind relays, theirs are announced. */
  readonly announce?: readonly string[] | undefined
  /** What to do if other peers can't dial this machine. Default `auto`: find out, and go through relays of the swarm. */
  readonly reach?: Reach | undefined
  /** Lets peers behind a NAT be reached through this server. Default true, unless it is behind one itself. */
  readonly relay?: boolean | undefined
  /** File of the key that is this server's identity, created on first use. Default: a new identity. */
  readonly identityPath?: string | undefined
  /** A name that is shown to the people of the swarm. */
  readonly publicName?: string | undefined
  /** The version of this program. */
  readonly version: string
  /** Names of loaded adapters. */
  readonly adapters?: readonly string[] | undefined
  /** Bits per second of the slower direction of the network. Default: as measured by sending to peers; 100 Mbit/s without any. */
  readonly networkBps?: number | undefined
  /** Memory for requests that are being received or computed, bytes. Default: an eighth of the machine's, at most 2 GiB. */
  readonly requestMemoryBytes?: number | undefined
  /** Instead of a measurement. */
  readonly throughput?: Throughput | undefined
  readonly announcePeriodMs?: number | undefined
  readonly balance?: Partial<BalanceTimes> | undefined
  readonly limits?: Partial<ServingLimits & ListeningLimits> | undefined
  /** Called after every change of what `status()` returns. */
  readonly onChange?: (() => void) | undefined
  readonly logger?: Logger | undefined
}

/**
 * - `auto`: asks other peers, and uses relays of the swarm if they can't dial this machine;
 * - `direct`: others can dial it;
 * - an address: only through this relay.
 */
export type Reach = 'auto' | 'direct' | { readonly relay: string }

/** When a server that may choose its blocks thinks about it. */
export interface BalanceTimes {
  /** Mean time between two checks, which are at random times (`mean_balance_check_period` of Petals). */
  readonly checkMs: number
  /** Mean delay before the first choice: servers that start together see each other's. */
  readonly delayMs: number
  /** A server stays at least this long: moving costs its sessions, and loading takes time. */
  readonly stayMs: number
  /** How long open sessions may go on when it moves. */
  readonly drainMs: number
  /** A move must make the slowest block faster by 1 / this. */
  readonly quality: number
}

export const defaultBalance: BalanceTimes = {
  checkMs: 120_000,
  delayMs: 5000,
  stayMs: 600_000,
  drainMs: 300_000,
  quality: 0.75,
}

export const defaultListen: readonly string[] = ['/ip4/0.0.0.0/tcp/0', '/ip6/::/tcp/0']
