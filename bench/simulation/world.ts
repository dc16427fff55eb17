import { blockUid } from '../../packages/petals/src/blocks/block-uid.ts'
import type { DhtRecord } from '../../packages/petals/src/dht/dht-client.ts'
import { peerIdFromBytes, type PeerId } from '../../packages/petals/src/p2p/peer-id.ts'
import type { MsgpackValue } from '../../packages/petals/src/wire/msgpack-values.ts'
import { Random } from './random.ts'

export const numBlocks = 80
export const dhtPrefix = 'Simulated-hf'

/** Servers announce themselves this often, and an announcement holds for twice as long (`petals/server/server.py`). */
const announceSeconds = 120
/** Servers of the next blocks that a server pings for each announcement. */
const pingedByServer = 5
/** Tokens of the KV cache of each block: `--attn_cache_tokens` of Petals. */
const cacheTokensPerBlock = 16_384
const meanLifeSeconds = 3 * 3600

/** Blocks of Llama 2 70B that graphics cards of these classes compute in a second, and how many of them they hold. */
const classes = [
  { weight: 4, rps: 120, blocks: 10 },
  { weight: 4, rps: 250, blocks: 10 },
  { weight: 7, rps: 340, blocks: 18 },
  { weight: 3, rps: 500, blocks: 40 },
  { weight: 1, rps: 900, blocks: 60 },
] as const

interface Place {
  readonly x: number
  readonly y: number
}
/** The share of the population, and a place on a map whose sides are about 200 ms of round trip long. */
const regions = [
  { weight: 4, x: 0.15, y: 0.4 },
  { weight: 2, x: 0.05, y: 0.5 },
  { weight: 4, x: 0.5, y: 0.3 },
  { weight: 3, x: 0.9, y: 0.5 },
  { weight: 1, x: 0.85, y: 0.95 },
] as const

export const placeOf = (random: Random): Place => {
  const { x, y } = random.weighted(regions, ({ weight }) => weight)
  return { x: x + 0.04 * random.normal(), y: y + 0.04 * random.normal() }
}

export const roundTripSeconds = (a: Place, b: Place): number => 0.004 + 0.2 * Math.hypot(a.x - b.x, a.y - b.y)

/**
 * - `honest`: announces what it does;
 * - `boaster`: announces ten times its speed;
 * - `mute`: accepts sessions and never answers a step;
 * - `ghost`: a record without a server.
 */
export type Honesty = 'honest' | 'boaster' | 'mute' | 'ghost'

/** A server. Rates are blocks per second, times are seconds since the beginning. */
export class Server {
  readonly id: number
  readonly peer: PeerId
  readonly place: Place
  readonly honesty: Honesty
  readonly start: number
  readonly end: number
  readonly rps: number
  readonly diesAt: number
  readonly cacheSize: number
  cacheUsed = 0
  isAlive = true
  /** Mean number of steps that are on the server, and the sum that becomes it after this tick. */
  queue = 0
  nextQueue = 0
  /** The share of the time in which it computes. */
  busy = 0
  announcesAt: number
  readonly pings = new Map<MsgpackValue, MsgpackValue>()

  constructor(
    fields: Pick<Server, 'id' | 'place' | 'honesty' | 'start' | 'end' | 'rps' | 'diesAt' | 'announcesAt'>,
  ) {
    this.id = fields.id
    this.peer = peerOf(fields.id)
    this.place = fields.place
    this.honesty = fields.honesty
    this.start = fields.start
    this.end = fields.end
    this.rps = fields.rps
    this.diesAt = fields.diesAt
    this.announcesAt = fields.announcesAt
    this.cacheSize = cacheTokensPerBlock * 2 * (fields.end - fields.start)
  }

  get claimedRps(): number {
    return this.honesty === 'boaster' ? this.rps * 10 : this.honesty === 'honest' ? this.rps : 900
  }
}

function peerOf(index: number): PeerId {
  const bytes = new Uint8Array(34).fill(7)
  bytes.set([0x12, 32])
  new DataView(bytes.buffer).setUint32(2, index)
  return peerIdFromBytes(bytes)!
}

export interface WorldOptions {
  readonly seed: number
  readonly servers: number
  /** The share of servers that are not honest. */
  readonly liars: number
  readonly churn: boolean
}

/** A swarm without its clients: servers that come and go, and what the DHT holds of them. */
export class World {
  readonly random: Random
  readonly servers = new Map<PeerId, Server>()
  readonly records = new Map<
    string,
    { expirationTime: number; subkeys: Map<string, { value: MsgpackValue; expirationTime: number }> }
  >()
  time = 0
  readonly #options: WorldOptions
  readonly #throughput = new Float64Array(numBlocks)
  #nextId = 0

  constructor(options: WorldOptions) {
    this.#options = options
    this.random = new Random(options.seed)
    for (let block = 0; block < numBlocks; block++)
      this.records.set(blockUid(dhtPrefix, block), { expirationTime: Infinity, subkeys: new Map() })
    for (let i = 0; i < options.servers; i++) this.#join(true)
    for (const server of this.servers.values()) this.#announce(server)
  }

  get dht(): ReadonlyMap<string, DhtRecord> {
    return this.records
  }

  /** Lets servers die, join and announce themselves until `time`. */
  advance(time: number): void {
    this.time = time
    for (const server of [...this.servers.values()]) {
      if (server.diesAt <= time) {
        server.isAlive = false
        this.#place(server, -1)
        this.servers.delete(server.peer)
        this.#join(false)
      } else if (server.announcesAt <= time) {
        server.announcesAt += announceSeconds
        this.#announce(server)
      }
    }
    if (time % 60 === 0) this.#expire()
  }

  /** Answers per token that the servers could compute at most, if nothing but their speed limited them, tokens per second. */
  get capacity(): number {
    const perBlock = new Float64Array(numBlocks)
    let total = 0
    for (const server of this.#useful()) {
      total += server.rps
      for (let block = server.start; block < server.end; block++) perBlock[block]! += server.rps
    }
    return Math.min(total / numBlocks, ...perBlock)
  }

  #useful(): readonly Server[] {
    return [...this.servers.values()].filter(({ honesty }) => honesty === 'honest' || honesty === 'boaster')
  }

  #join(atBeginning: boolean): void {
    const { random } = this
    const { liars, servers, churn } = this.#options
    const chosen = random.weighted(classes, ({ weight }) => weight)
    const length = Math.min(numBlocks, Math.max(chosen.blocks, Math.ceil((1.7 * numBlocks) / servers)))
    // The first servers hold the model alone: a swarm that lacks blocks says nothing about routing.
    const isLiar = this.#nextId >= Math.min(servers, 8) && random.next() < liars
    const honesty = isLiar ? random.pick(['boaster', 'boaster', 'mute', 'ghost'] as const) : 'honest'
    const start = this.#chooseStart(length)
    const life = churn && this.#nextId >= 8 ? random.pareto(meanLifeSeconds, 1.5) : Infinity
    // Long lives are more likely to be met in their middle.
    const left = atBeginning ? life * random.next() : life
    const server = new Server({
      id: this.#nextId++,
      place: placeOf(random),
      honesty,
      start,
      end: start + length,
      rps: random.logNormal(chosen.rps, 0.15),
      diesAt: this.time + left,
      announcesAt: this.time + (atBeginning ? random.next() * announceSeconds : announceSeconds),
    })
    this.servers.set(server.peer, server)
    this.#place(server, 1)
    if (!atBeginning) this.#announce(server)
  }

  /** As servers do: where the slowest block is slowest (`petals/server/block_selection.py`). */
  #chooseStart(length: number): number {
    const all = this.#throughput
    let best = 0
    let [least, leastSum] = [Infinity, Infinity]
    for (let start = 0; start + length <= numBlocks; start++) {
      const window = all.subarray(start, start + length)
      const [low, sum] = [Math.min(...window), window.reduce((a, b) => a + b, 0)]
      if (low < least || (low === least && sum < leastSum)) [best, least, leastSum] = [start, low, sum]
    }
    return best
  }

  #place(server: Server, sign: number): void {
    for (let block = server.start; block < server.end; block++)
      this.#throughput[block]! += sign * server.claimedRps
  }

  #announce(server: Server): void {
    if (server.honesty !== 'ghost') this.#pingNext(server)
    const extra = new Map<MsgpackValue, MsgpackValue>([
      ['start_block', server.start],
      ['end_block', server.end],
      ['inference_rps', server.claimedRps],
      ['cache_tokens_left', Math.max(0, server.cacheSize - server.cacheUsed)],
      ['next_pings', new Map(server.pings)],
    ])
    const entry = {
      value: [2, server.claimedRps, extra] as MsgpackValue,
      expirationTime: this.time + 2 * announceSeconds,
    }
    for (let block = server.start; block < server.end; block++)
      this.records.get(blockUid(dhtPrefix, block))!.subkeys.set(server.peer, entry)
  }

  #pingNext(server: Server): void {
    if (server.end === numBlocks) return
    const next = [...this.records.get(blockUid(dhtPrefix, server.end))!.subkeys.keys()] as PeerId[]
    if (server.pings.size >= 3 * pingedByServer) server.pings.clear()
    for (let i = 0; i < Math.min(pingedByServer, next.length); i++) {
      const other = this.servers.get(this.random.pick(next))
      if (other && other !== server && other.honesty !== 'ghost')
        server.pings.set(other.peer, roundTripSeconds(server.place, other.place))
    }
  }

  #expire(): void {
    for (const { subkeys } of this.records.values())
      for (const [peer, { expirationTime }] of subkeys) if (expirationTime <= this.time) subkeys.delete(peer)
  }
}
