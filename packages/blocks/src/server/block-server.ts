import { setTimeout as delay } from 'node:timers/promises'
import { silentLogger, type Logger } from '@petals-chat/engine'
import {
  createBlockDirectory,
  createServerProbe,
  formatBlocks,
  blocksOf,
  RoundTrips,
  type BlockDirectory,
  type BlockRange,
  type PeerId,
  type ServerInfo,
  type ServerState,
} from '@petals-chat/petals/protocol'
import { Announcer } from '../announce/announcer.ts'
import { measurablePeers, NetworkSpeed } from '../announce/network-speed.ts'
import { pingNextServers } from '../announce/next-servers.ts'
import { withNetwork, type Throughput } from '../announce/throughput.ts'
import {
  defaultServingLimits,
  type HeldBlocks,
  type ServingHost,
  type ServingLimits,
} from '../sessions/host.ts'
import { SessionTable } from '../sessions/session-table.ts'
import { Activity, type ActivityReport } from './activity.ts'
import { serveBlocks } from './handlers.ts'
import { load, type Holding } from './holding.ts'
import { announcedVersion } from './announced-version.ts'
import { defaultBalance, type BalanceTimes, type BlockServerOptions } from './options.ts'
import { Placement } from './placement.ts'
import { createRequestMemory, longestRequest, type RequestMemory } from './request-memory.ts'
import { findReach } from './reach.ts'
import { startSwarmNode, type SwarmNode } from './swarm-node.ts'

/** What a server does now. */
export interface BlockServerStatus {
  readonly state: ServerState | 'draining'
  readonly peer: PeerId
  readonly addresses: readonly string[]
  readonly usesRelay: boolean
  /** Undefined before they are chosen. */
  readonly blocks: BlockRange | undefined
  readonly cacheTokensLeft: number | undefined
  readonly activity: ActivityReport
  /** Names that peers which are servers themselves have announced. */
  readonly publicNames: ReadonlyMap<PeerId, string>
  readonly load: { readonly connections: number; readonly streams: number; readonly requestBytes: number }
}

/** A server of a Petals swarm. Disposing it announces that it is offline, and ends its sessions. */
export interface BlockServer extends AsyncDisposable {
  readonly peer: PeerId
  /** Multiaddrs by which other peers join the swarm. */
  readonly addresses: readonly string[]
  status(): BlockServerStatus
  /** Announces that it is offline, refuses new sessions, and waits until the open ones have ended, at most for this long. */
  drain(options: { readonly timeoutMs: number }): Promise<void>
  /** Resolves with the reason when the engine has ended for good. */
  readonly ended: Promise<Error>
}

/** Time for the announcement that the server is offline. */
const farewellMs = 5000
const retryMs = 30_000
const directoryMs = 60_000
const pingTimeoutMs = 5000

/**
 * Joins a swarm, or starts one, and serves blocks of a model to it. Resolves when the blocks are announced as online.
 * @throws SwarmUnreachableError if none of the initial peers answers; what `openEngine` throws
 */
export async function startBlockServer(options: BlockServerOptions): Promise<BlockServer> {
  const { logger = silentLogger, signal } = options
  const memory = createRequestMemory(options.requestMemoryBytes)
  const reach = await findReach(options, { budget: memory.budget, logger, signal })
  const node = await startSwarmNode(options, reach, { budget: memory.budget, logger, signal })
  const server = new NodeBlockServer(options, node, memory, logger)
  try {
    await server.start(signal)
  } catch (error) {
    await server[Symbol.asyncDispose]()
    throw error
  }
  return server
}

class NodeBlockServer implements BlockServer, ServingHost {
  readonly dhtPrefix: string
  readonly adapters: readonly string[]
  readonly limits: ServingLimits
  readonly observer: Activity
  readonly #options: BlockServerOptions
  readonly #node: SwarmNode
  readonly #memory: RequestMemory
  readonly #logger: Logger
  readonly #table: SessionTable
  readonly #directory: BlockDirectory
  readonly #roundTrips: RoundTrips
  readonly #announcer: Announcer
  readonly #network: NetworkSpeed
  readonly #times: BalanceTimes
  readonly #placement: Placement
  readonly #version: string
  readonly #closing = new AbortController()
  readonly #ended = Promise.withResolvers<Error>()
  #holding: Holding | undefined
  #blocks: BlockRange | undefined
  #state: BlockServerStatus['state'] = 'joining'
  #moving: Promise<void> | undefined
  #disposal: Promise<void> | undefined
  #serves = false
  /** It holds its blocks for good: it neither loads them, nor leaves them. */
  #isSettled = false

  constructor(options: BlockServerOptions, node: SwarmNode, memory: RequestMemory, logger: Logger) {
    const { model, adapters = [], onChange } = options
    const { dht, rpc, transport } = node
    this.dhtPrefix = model.dhtPrefix
    this.adapters = adapters
    this.limits = { ...defaultServingLimits, ...options.limits }
    this.observer = new Activity(onChange)
    this.#options = options
    this.#node = node
    this.#memory = memory
    this.#logger = logger
    this.#table = new SessionTable(this.limits)
    this.#directory = createBlockDirectory({ dht, ...model, updateIntervalMs: directoryMs, logger })
    this.#roundTrips = new RoundTrips({ dht, probe: createServerProbe(rpc), pingTimeoutMs })
    this.#announcer = new Announcer({
      dht,
      peer: transport.localPeer,
      model,
      describe: () => this.#describe(),
      periodMs: options.announcePeriodMs,
      logger,
    })
    this.#network = new NetworkSpeed({ rpc, given: options.networkBps, logger })
    this.#times = { ...defaultBalance, ...options.balance }
    this.#placement = new Placement(this.#directory, transport.localPeer, this.#times)
    this.#version = announcedVersion(options.version)
  }

  get peer(): PeerId {
    return this.#node.transport.localPeer
  }

  get addresses(): readonly string[] {
    return this.#node.transport.addresses
  }

  get ended(): Promise<Error> {
    return this.#ended.promise
  }

  blocks(): HeldBlocks | undefined {
    return this.#holding
  }

  originOf(peer: PeerId): string {
    return this.#node.transport.originOf(peer) ?? peer
  }

  acceptsSessions(): boolean {
    // While the process that computes is started again, sessions wait for it.
    return this.#isSettled
  }

  status(): BlockServerStatus {
    const { transport, usesRelay } = this.#node
    return {
      state: this.#state,
      peer: this.peer,
      addresses: this.addresses,
      usesRelay,
      blocks: this.#blocks,
      cacheTokensLeft: this.#holding?.engine.cacheTokensLeft,
      activity: this.observer.report(),
      publicNames: this.#publicNames(),
      load: { ...transport.load, requestBytes: this.#memory.budget.usedBytes },
    }
  }

  /** Chooses blocks, loads and announces them; and goes on to do so whenever the swarm needs others more. */
  async start(signal: AbortSignal | undefined): Promise<void> {
    const signals = signal ? [signal, this.#closing.signal] : [this.#closing.signal]
    await this.#hold(AbortSignal.any(signals))
    this.#moving = this.#keepPlace(this.#closing.signal)
  }

  async drain({ timeoutMs }: { readonly timeoutMs: number }): Promise<void> {
    if (this.#state === 'draining' || this.#state === 'offline') return
    this.#isSettled = false
    this.#setState('draining') // a server that moves has open sessions, too
    this.#closing.abort(new Error('The server ends.')) // it does not move any more
    if (this.#blocks) await this.#announcer.announce('offline', this.#blocks)
    await this.#untilIdle(timeoutMs)
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposal ??= this.#dispose()
    return this.#disposal
  }

  async #dispose(): Promise<void> {
    const isAnnounced = this.#state !== 'draining' && this.#state !== 'offline' && this.#blocks
    this.#isSettled = false
    this.#setState('offline')
    this.#closing.abort(new Error('The server was closed.'))
    const signal = AbortSignal.timeout(farewellMs)
    if (isAnnounced) await this.#announcer.announce('offline', isAnnounced, { signal })
    await this.#announcer[Symbol.asyncDispose]()
    await this.#directory[Symbol.asyncDispose]()
    await this.#moving
    await this.#node[Symbol.asyncDispose]()
    await this.#holding?.[Symbol.asyncDispose]()
  }

  async #hold(signal: AbortSignal): Promise<void> {
    const { blocks } = this.#options
    signal.throwIfAborted()
    this.#setState('joining')
    const range = typeof blocks === 'number' ? await this.#placement.choose(blocks, { signal }) : blocks
    this.#blocks = range
    await this.#announcer.announce('joining', range, { signal })
    const { usesRelay } = this.#node
    const holding = await load(range, this.#options, { usesRelay, logger: this.#logger, signal })
    this.#holding = holding
    void holding.engine.ended.then((error) => this.#engineEnded(holding, error))
    holding.engine.onReadiness(() => this.#readinessChanged(holding))
    await this.#serve(holding)
    signal.throwIfAborted()
    this.#isSettled = true
    const state = stateOf(holding)
    this.#setState(state)
    await this.#announcer.announce(state, range, { signal })
    const served = formatBlocks(blocksOf(range))
    this.#logger.info(
      { peer: this.peer, blocks: served, addresses: this.addresses },
      'serves blocks to the swarm',
    )
  }

  /** Later engines have the same limits: they run the same model on the same machine. */
  async #serve({ engine }: Holding): Promise<void> {
    if (this.#serves) return
    this.#serves = true
    const { transport, rpc, usesRelay } = this.#node
    await serveBlocks({
      transport,
      rpc,
      host: this,
      table: this.#table,
      budget: this.#memory.budget,
      maxMessageBytes: longestRequest(engine.info, this.#memory),
      version: this.#version,
      dhtClientMode: usesRelay,
      logger: this.#logger,
    })
  }

  async #keepPlace(signal: AbortSignal): Promise<void> {
    if (typeof this.#options.blocks !== 'number') return
    while (!signal.aborted) {
      try {
        const { throughput } = this.#throughputOf(this.#holding!)
        await this.#placement.untilElsewhereNeeded(this.#blocks!, throughput, signal)
        await this.#move(signal)
      } catch (error) {
        if (signal.aborted) return
        this.#logger.error({ err: error }, 'could not move to other blocks; trying again')
        await delay(retryMs, undefined, { signal }).catch(() => {})
      }
    }
  }

  /** Leaves its blocks in peace, and takes those that the swarm needs most. */
  async #move(signal: AbortSignal): Promise<void> {
    this.#logger.info({ ...this.#blocks }, 'the swarm needs other blocks more: moving')
    this.#isSettled = false
    this.#setState('joining')
    await this.#announcer.announce('offline', this.#blocks!, { signal })
    await this.#untilIdle(this.#times.drainMs)
    const before = this.#holding
    this.#holding = undefined
    await before?.[Symbol.asyncDispose]()
    while (!this.#holding) {
      try {
        await this.#hold(signal)
      } catch (error) {
        signal.throwIfAborted()
        this.#logger.error({ err: error }, 'could not load blocks; trying again')
        await delay(retryMs, undefined, { signal })
      }
    }
  }

  async #untilIdle(timeoutMs: number): Promise<void> {
    const endsAt = performance.now() + timeoutMs
    while (this.observer.sessions > 0 && performance.now() < endsAt && this.#disposal === undefined)
      await delay(50)
  }

  /** Clients shall not route to a server whose process is being started again: it has lost its sessions, and loads its blocks. */
  #readinessChanged(holding: Holding): void {
    if (this.#holding !== holding || !this.#isSettled) return
    const state = stateOf(holding)
    this.#setState(state)
    void this.#announcer.announce(state, holding.range)
  }

  #engineEnded(holding: Holding, error: Error): void {
    if (this.#holding !== holding || this.#disposal) return
    this.#logger.error({ err: error }, 'the engine has ended for good')
    this.#isSettled = false
    this.#setState('offline')
    if (this.#blocks) void this.#announcer.announce('offline', this.#blocks)
    this.#ended.resolve(error)
  }

  #setState(state: BlockServerStatus['state']): void {
    this.#state = state
    this.#options.onChange?.()
  }

  /** What is announced. Before the blocks are measured, the rate only shows that the server is coming. */
  async #describe(): Promise<Omit<ServerInfo, 'state' | 'blocks'>> {
    const { publicName } = this.#options
    const holding = this.#holding
    const engine = holding?.engine
    const nextPings = await this.#pings()
    if (this.#isSettled && this.#options.throughput === undefined) await this.#measureNetwork()
    const rates = holding
      ? this.#throughputOf(holding)
      : { throughput: this.#options.throughput?.throughput ?? 1 }
    return {
      ...rates,
      publicName,
      version: this.#version,
      adapters: this.adapters,
      torchDtype: engine?.info.dtype,
      quantType: engine?.info.quantization,
      usingRelay: this.#node.usesRelay,
      cacheTokensLeft:
        engine && 2 * Math.floor(engine.cacheTokensLeft * (engine.info.end - engine.info.start)),
      nextPings,
    }
  }

  async #measureNetwork(): Promise<void> {
    const { initialPeers } = this.#node.transport
    const peers = measurablePeers(initialPeers, this.#directory.snapshot().spans, this.peer)
    await this.#network.measure(peers, { signal: this.#closing.signal })
  }

  /** As it was measured when the blocks were loaded, with the speed of the network as far as it is known by now. */
  #throughputOf({ throughput, engine }: Holding): Throughput {
    const { bps: networkBps } = this.#network
    if (networkBps === undefined || this.#options.throughput !== undefined) return throughput
    return withNetwork(throughput, engine.info, { networkBps, usesRelay: this.#node.usesRelay })
  }

  async #pings(): Promise<ServerInfo['nextPings']> {
    if (this.#state !== 'online' || !this.#blocks) return undefined
    const { signal } = this.#closing
    const own = { own: this.peer, blocks: this.#blocks, signal }
    await this.#directory.findSpans({ signal }).catch(() => [])
    return await pingNextServers(this.#directory, this.#roundTrips, own).catch(() => undefined)
  }

  #publicNames(): ReadonlyMap<PeerId, string> {
    const named = this.#directory.snapshot().spans.filter(({ server }) => server.publicName !== undefined)
    return new Map(named.map(({ peer, server }) => [peer, server.publicName!]))
  }
}

const stateOf = ({ engine }: Holding): 'online' | 'joining' => (engine.isReady ? 'online' : 'joining')
