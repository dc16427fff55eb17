import { randomBytes } from 'node:crypto'
import type { AbortOptions, Logger } from '@petals-chat/engine'
import { paddedPingMethod, type PeerId, type RpcClient, type Span } from '@petals-chat/petals/protocol'

/**
 * What is sent to a peer: so many messages of so many bytes at a time. The first ones warm up the connection; several streams are
 * those of several clients. 2.3 MiB in all.
 */
const rounds: readonly { readonly messages: number; readonly bytes: number }[] = [
  { messages: 1, bytes: 64 * 1024 },
  { messages: 4, bytes: 64 * 1024 },
  { messages: 4, bytes: 256 * 1024 },
  { messages: 4, bytes: 256 * 1024 },
]

/** A round that took so long shows enough: more would keep a slow line busy. */
const enoughMs = 500
const messageMs = 5000
/** For all peers together. */
const maxMs = 8000
const mostPeers = 3
const mostAttempts = 5

/** A faster network makes no difference to clients; on one machine, any number could come out. */
const mostBps = 1e9

export interface NetworkSpeedOptions {
  readonly rpc: Pick<RpcClient, 'unary'>
  /** Bits per second of the slower direction, instead of a measurement. */
  readonly given?: number | undefined
  readonly logger: Logger
}

/**
 * How fast this machine's network is. It is measured once, by sending to peers of the swarm: how fast they receive it. That is
 * the slower direction of most lines; the other one is not measured, since no peer sends so much for the asking.
 */
export class NetworkSpeed {
  readonly #options: NetworkSpeedOptions
  #bps: number | undefined
  #attempts = 0
  #measuring: Promise<void> | undefined

  constructor(options: NetworkSpeedOptions) {
    this.#options = options
    this.#bps = options.given
  }

  /** Bits per second; undefined if nothing is known. */
  get bps(): number | undefined {
    return this.#bps
  }

  /** Measures it, if that was not done before; waits if it is measured now. Never throws. */
  async measure(peers: readonly PeerId[], options: AbortOptions = {}): Promise<void> {
    if (this.#measuring) return await this.#measuring
    if (this.#bps !== undefined || peers.length === 0 || this.#attempts >= mostAttempts) return
    this.#attempts++
    this.#measuring = this.#measure(peers, options).finally(() => (this.#measuring = undefined))
    await this.#measuring
  }

  async #measure(peers: readonly PeerId[], { signal }: AbortOptions): Promise<void> {
    const { rpc, logger } = this.#options
    const chosen = shuffled(peers).slice(0, mostPeers)
    const ends = AbortSignal.any([AbortSignal.timeout(maxMs), ...(signal ? [signal] : [])])
    this.#bps = await measureUpload(rpc, chosen, ends)
    if (this.#bps === undefined) logger.debug({ peers: chosen }, 'the network speed could not be measured')
    else logger.info({ networkBps: Math.round(this.#bps) }, 'measured how fast peers receive what is sent')
  }
}

/**
 * Returns the peers to which this server may send: those by which it has joined, and servers of its model. What is sent to servers
 * behind a relay would go through the machine of a third party, and show how fast that one is.
 */
export function measurablePeers(
  initialPeers: readonly PeerId[],
  servers: readonly Pick<Span, 'peer' | 'server'>[],
  self: PeerId,
): readonly PeerId[] {
  const direct = servers.filter(({ server }) => server.state === 'online' && !server.usingRelay)
  const all = new Set([...initialPeers, ...direct.map(({ peer }) => peer)])
  return [...all].filter((peer) => peer !== self)
}

/** Returns bits per second: those of the fastest peer, since each may be slow itself; undefined if none has answered. */
async function measureUpload(
  rpc: Pick<RpcClient, 'unary'>,
  peers: readonly PeerId[],
  signal: AbortSignal,
): Promise<number | undefined> {
  let best = 0
  for (const peer of peers) best = Math.max(best, await uploadTo(rpc, peer, signal))
  return best > 0 ? Math.min(best, mostBps) : undefined
}

/** Returns bits per second of the fastest round; 0 if the peer takes no such messages. */
async function uploadTo(rpc: Pick<RpcClient, 'unary'>, peer: PeerId, signal: AbortSignal): Promise<number> {
  const send = async (bytes: number): Promise<void> => {
    await rpc.unary(peer, paddedPingMethod, randomBytes(bytes), { timeoutMs: messageMs, signal })
  }
  let best = 0
  try {
    const roundTripMs = await timeOf(() => send(0))
    for (const { messages, bytes } of rounds) {
      const ms = await timeOf(() => Promise.all(Array.from({ length: messages }, () => send(bytes))))
      // The answer takes a round trip; less than half of the time can't be told from chance.
      const sendingMs = Math.max(ms - roundTripMs, ms / 2)
      best = Math.max(best, (messages * bytes * 8 * 1000) / sendingMs)
      if (ms > enoughMs) break
    }
  } catch {
    // What was measured before counts.
  }
  return best
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

function shuffled<T>(values: readonly T[]): readonly T[] {
  return values
    .map((value) => ({ value, rank: Math.random() }))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ value }) => value)
}
