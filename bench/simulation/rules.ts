import { createBlockDirectory } from '../../packages/petals/src/blocks/block-directory.ts'
import type { BlockRange } from '../../packages/petals/src/blocks/block-range.ts'
import type { Span } from '../../packages/petals/src/blocks/spans.ts'
import type { DhtClient } from '../../packages/petals/src/dht/dht-client.ts'
import { PeerUnreachableError } from '../../packages/petals/src/errors.ts'
import type { PeerId } from '../../packages/petals/src/p2p/peer-id.ts'
import { BanList } from '../../packages/petals/src/routing/ban-list.ts'
import { fastestRoute } from '../../packages/petals/src/routing/latency-graph.ts'
import type { Router } from '../../packages/petals/src/routing/router.ts'
import { RoundTrips } from '../../packages/petals/src/routing/round-trips.ts'
import type { DecodeStep } from '../../packages/petals/src/routing/server-loads.ts'
import { SpanIndex } from '../../packages/petals/src/routing/span-index.ts'
import { createRouter } from '../../packages/petals/src/routing/swarm-router.ts'
import { Random } from './random.ts'
import { dhtPrefix, numBlocks, placeOf, roundTripSeconds, type Server, type World } from './world.ts'

export const ruleNames = ['Petals Chat', 'Python min_latency', 'Python max_throughput', 'oracle'] as const
export type RuleName = (typeof ruleNames)[number]

const all: BlockRange = { start: 0, end: numBlocks }
const maxPinged = 3
/** Timers of the real parts never fire: the simulation calls them. */
const never = 2_000_000_000

export type Step = DecodeStep

/** How one client chooses servers. */
export interface Rule {
  /** Returns undefined if it knows no servers for some blocks. */
  route(
    blocks: BlockRange,
    tokens: number,
    avoid: ReadonlyMap<PeerId, number>,
  ): Promise<readonly Span[] | undefined>
  opened(span: Span, session: string, tokens: number): void
  stepped(step: Step): void
  ended(step: Pick<Step, 'peer' | 'session'>): void
  failed(peer: PeerId, cause: Error): void
  /** Reads the DHT and pings some servers. */
  update(): Promise<void>
}

/** A client, and where it is. */
export class Client {
  readonly place
  readonly rule: Rule
  readonly random: Random

  constructor(world: World, name: RuleName, seed: number) {
    this.random = new Random(seed)
    this.place = placeOf(this.random)
    this.rule = make(name, world, this)
  }
}

function make(name: RuleName, world: World, client: Client): Rule {
  switch (name) {
    case 'Petals Chat':
      return new RouterRule(world, client)
    case 'Python min_latency':
      return new PetalsRule(world, client, false)
    case 'Python max_throughput':
      return new PetalsRule(world, client, true)
    case 'oracle':
      return new Oracle(world, client)
    default:
      return name satisfies never
  }
}

function dhtOf(world: World, client: Client, answered: Set<PeerId>): DhtClient {
  return {
    getMany: () => Promise.resolve(world.dht),
    hasAnswered: (peer) => answered.has(peer),
    now: () => world.time,
    ping(peer) {
      const server = world.servers.get(peer)
      if (!server || server.honesty === 'ghost') return Promise.reject(new PeerUnreachableError('gone'))
      answered.add(peer)
      return Promise.resolve(
        roundTripSeconds(client.place, server.place) * 1000 * (1 + 0.1 * client.random.next()),
      )
    },
  }
}

const directoryOf = (world: World, dht: DhtClient) =>
  createBlockDirectory({
    dht,
    dhtPrefix,
    numBlocks,
    updateIntervalMs: never,
    now: () => world.time * 1000,
  })

/** The router of this project. */
class RouterRule implements Rule {
  readonly router: Router

  constructor(world: World, client: Client) {
    const dht = dhtOf(world, client, new Set())
    this.router = createRouter({
      directory: directoryOf(world, dht),
      dht,
      banTimeoutMs: 15_000,
      pingTimeoutMs: 2000,
      maxPinged,
      updateIntervalMs: never,
      now: () => world.time * 1000,
      random: client.random.next,
    })
  }

  route: Rule['route'] = async (blocks, cacheTokens, avoid) => {
    try {
      return await this.router.route(blocks, { cacheTokens, avoid })
    } catch {
      return undefined
    }
  }
  opened(span: Span, session: string, tokens: number): void {
    this.router.reportOpening(span, session, tokens)
  }
  stepped(step: Step): void {
    this.router.reportSuccess(step.peer)
    this.router.reportStep(step)
  }
  ended({ peer, session }: Pick<Step, 'peer' | 'session'>): void {
    this.router.reportEnd(peer, session)
  }
  failed(peer: PeerId, cause: Error): void {
    this.router.reportFailure(peer, cause)
  }
  async update(): Promise<void> {
    await this.router.refresh()
    await this.router.measure()
  }
}

/**
 * The rule of the Python client (`petals/client/routing/sequence_manager.py`, described in the protocol notes): Dijkstra's
 * algorithm over what servers announce, or spans drawn by their length. Servers that failed are banned.
 */
class PetalsRule implements Rule {
  readonly #world: World
  readonly #random: Random
  readonly #draws: boolean
  readonly #directory
  readonly #trips: RoundTrips
  readonly #bans: BanList
  #index = new SpanIndex([], numBlocks)

  constructor(world: World, client: Client, draws: boolean) {
    const now = (): number => world.time * 1000
    const dht = dhtOf(world, client, new Set())
    this.#world = world
    this.#random = client.random
    this.#draws = draws
    this.#directory = directoryOf(world, dht)
    this.#trips = new RoundTrips({ dht, pingTimeoutMs: 2000, now })
    this.#bans = new BanList(15_000, now)
  }

  route: Rule['route'] = async (blocks, cacheTokens) => {
    const without = this.#banned()
    return this.#draws
      ? this.#draw(blocks, without)
      : fastestRoute(this.#index, { blocks, cacheTokens, roundTrips: this.#roundTrips(), without })?.route
  }

  #roundTrips(): Float64Array {
    const known = this.#trips.seconds()
    return Float64Array.from(this.#index.spans, ({ peer }) => known.get(peer) ?? NaN)
  }

  /** Banned servers keep the blocks that no other server has. */
  #banned(): ReadonlySet<number> {
    const banned = new Set<number>()
    this.#index.spans.forEach(({ peer }, slot) => {
      if (this.#bans.isBanned(peer)) banned.add(slot)
    })
    return this.#index.missing(all, banned).length > 0 ? new Set() : banned
  }

  #draw({ start, end }: BlockRange, without: ReadonlySet<number>): readonly Span[] | undefined {
    const { holders, spans, ends } = this.#index
    const rtts = this.#trips.seconds()
    const route: Span[] = []
    for (let block = start; block < end; block = route.at(-1)!.end) {
      const slots = [...holders.values.subarray(holders.offsets[block], holders.offsets[block + 1])].filter(
        (slot) => !without.has(slot),
      )
      if (slots.length === 0) return undefined
      const slot = this.#random.weighted(slots, (each) => {
        const { peer, start: first } = spans[each]!
        return rtts.get(peer) === Infinity ? 1e-6 : ends[each]! - first
      })
      route.push({ ...spans[slot]!, start: block, end: Math.min(ends[slot]!, end) })
    }
    return route
  }

  opened(): void {}
  stepped({ peer }: Step): void {
    this.#bans.reportSuccess(peer)
  }
  ended(): void {}
  failed(peer: PeerId): void {
    this.#bans.reportFailure(peer)
  }
  async update(): Promise<void> {
    await this.#directory.refresh()
    const spans = await this.#directory.findSpans()
    this.#index = new SpanIndex(spans, numBlocks)
    const groups = [
      spans.filter(({ start }) => start === 0),
      spans.filter(({ end }) => end === numBlocks),
      spans.filter(({ start, end }) => start > 0 && end < numBlocks),
    ].filter(({ length }) => length > 0)
    const chosen = groups.flatMap((group) =>
      Array.from({ length: maxPinged }, () => this.#random.pick(group).peer),
    )
    await this.#trips.measure(chosen)
  }
}

/** Knows every server, its speed, its load and all round trips, at any time. */
class Oracle implements Rule {
  readonly #world: World
  readonly #client: Client
  #index = new SpanIndex([], numBlocks)
  #madeAt = -1
  #roundTrips = new Float64Array()

  constructor(world: World, client: Client) {
    this.#world = world
    this.#client = client
  }

  route: Rule['route'] = async (blocks, tokens) => {
    this.#look()
    const secondsPerBlock = new Float64Array(this.#index.spans.length)
    const without = new Set<number>()
    this.#index.spans.forEach(({ peer }, slot) => {
      const server = this.#world.servers.get(peer)!
      secondsPerBlock[slot] = (1 + server.queue) / server.rps
      if (server.cacheUsed + 2 * tokens * (server.end - server.start) > server.cacheSize) without.add(slot)
    })
    return fastestRoute(this.#index, {
      blocks,
      roundTrips: this.#roundTrips,
      secondsPerBlock,
      without,
      relays: true,
    })?.route
  }

  #look(): void {
    if (this.#madeAt === this.#world.time) return
    this.#madeAt = this.#world.time
    const good = ({ honesty }: Server): boolean => honesty === 'honest' || honesty === 'boaster'
    const servers = [...this.#world.servers.values()].filter(good)
    const spans = servers.map(({ peer, start, end, pings }): Span => {
      const nextPings = pings as unknown as ReadonlyMap<PeerId, number>
      return { peer, start, end, server: { state: 'online', throughput: 1, adapters: [], nextPings } }
    })
    this.#index = new SpanIndex(spans, numBlocks)
    this.#roundTrips = Float64Array.from(servers, ({ place }) => roundTripSeconds(this.#client.place, place))
  }

  opened(): void {}
  stepped(): void {}
  ended(): void {}
  failed(): void {}
  async update(): Promise<void> {}
}
