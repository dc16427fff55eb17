import { freePort } from '@petals-chat/engine/testing'
import { type Metrics, silentLogger, silentMetrics } from '@petals-chat/engine'
import { SpotChecks } from '../audit/spot-checks.ts'
import { createBlockDirectory, type BlockDirectory } from '../blocks/block-directory.ts'
import { swarmConfigSchema, type SwarmConfig } from '../config.ts'
import type { DhtClient } from '../dht/dht-client.ts'
import { createDhtClient } from '../dht/hivemind-dht-client.ts'
import { createInferenceContext, type InferenceContext } from '../inference/inference-context.ts'
import type { InferenceSession } from '../inference/inference-session.ts'
import { createInferenceSession } from '../inference/swarm-inference-session.ts'
import { createLibp2pTransport } from '../p2p/libp2p-transport.ts'
import { TestPeer } from '../p2p/testing/test-peer.ts'
import type { SwarmTransport } from '../p2p/swarm-transport.ts'
import type { Router } from '../routing/router.ts'
import { createRouter } from '../routing/swarm-router.ts'
import { createRpcClient } from '../rpc/transport-rpc-client.ts'
import { createRoomProbe } from '../swarm/server-probe.ts'
import type { HiddenStates } from '../tensor/hidden-states.ts'
import { DhtNode } from './dht-node.ts'
import { FakeServer, type FakeServerOptions } from './fake-server.ts'
import { FaultyLink } from './faulty-link.ts'
import { runToyBlocks, toyBlocks } from './toy-block.ts'

export const dhtPrefix = 'Toy-hf'

export interface FakeSwarmOptions {
  readonly numBlocks?: number
  readonly hiddenSize?: number
}

export interface ConnectOptions {
  /** Makes spot checks, by these numbers 0 … 1. */
  readonly random?: (() => number) | undefined
  /**
   * The round trip to every server that runs. Default: 2. Those that are `measured` on a busy machine can differ by more than the
   * speeds of servers, and a server can seem dead that did not get its turn in time.
   */
  readonly roundTripMs?: number | 'measured' | undefined
  /** Default: they are dropped. */
  readonly metrics?: Metrics | undefined
}

/** A private swarm in this process: a bootstrap node and fake servers, over real libp2p on loopback. */
export class FakeSwarm implements AsyncDisposable {
  readonly numBlocks: number
  readonly hiddenSize: number
  readonly servers: FakeServer[] = []
  readonly bootstrap: TestPeer
  readonly dht: DhtNode
  readonly #resources = new AsyncDisposableStack()

  static async start(options: FakeSwarmOptions = {}): Promise<FakeSwarm> {
    const bootstrap = await TestPeer.start()
    return new FakeSwarm(options, bootstrap, await DhtNode.serve(bootstrap))
  }

  private constructor(
    { numBlocks = 6, hiddenSize = 16 }: FakeSwarmOptions,
    bootstrap: TestPeer,
    dht: DhtNode,
  ) {
    this.numBlocks = numBlocks
    this.hiddenSize = hiddenSize
    this.bootstrap = this.#resources.use(bootstrap)
    this.dht = dht
  }

  async addServer(start: number, end: number, options: Partial<FakeServerOptions> = {}): Promise<FakeServer> {
    return await this.#add(start, end, options, await TestPeer.start())
  }

  async #add(
    start: number,
    end: number,
    options: Partial<FakeServerOptions>,
    peer: TestPeer,
  ): Promise<FakeServer> {
    const server = await FakeServer.start(
      { dhtPrefix, start, end, hiddenSize: this.hiddenSize, ...options },
      peer,
    )
    this.#resources.use(server)
    await server.peer.connect(this.bootstrap.address)
    for (const other of this.servers) await server.peer.connect(other.peer.directAddress).catch(() => {})
    this.dht.introduce(server.dht)
    this.servers.push(server)
    server.announce([this.dht])
    return server
  }

  /** Adds a server behind a link that tests can make fail. */
  async addServerBehindLink(
    start: number,
    end: number,
    options: Partial<FakeServerOptions> = {},
  ): Promise<{ readonly server: FakeServer; readonly link: FaultyLink }> {
    const port = await freePort()
    const link = this.#resources.use(await FaultyLink.start(port))
    const announce = [`/ip4/127.0.0.1/tcp/${link.port}`]
    const peer = await TestPeer.start({ listen: [`/ip4/127.0.0.1/tcp/${port}`], announce })
    return { server: await this.#add(start, end, options, peer), link }
  }

  async connect(config: Partial<SwarmConfig> = {}, options?: ConnectOptions): Promise<SwarmClient> {
    const client = await SwarmClient.connect(this, config, options)
    return this.#resources.use(client)
  }

  /** Returns inputs that look like embeddings; the same seed gives the same inputs. */
  inputs(tokens: number, seed = 1): HiddenStates {
    let state = seed * 7919 + 17
    const data = Float32Array.from({ length: tokens * this.hiddenSize }, () => {
      state = (state * 48_271) % 0x7fffffff
      return state / 0x7fffffff - 0.5
    })
    return { shape: [tokens, this.hiddenSize], data }
  }

  /** Returns the outputs of the whole model for these consecutive inputs, without faults. */
  expected(...inputs: readonly HiddenStates[]): Float32Array {
    const all = Float32Array.from(inputs.flatMap(({ data }) => [...data]))
    return runToyBlocks(toyBlocks(0, this.numBlocks, this.hiddenSize), all, this.hiddenSize, 0, 'float32')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
  }
}

/** The client from transport to sessions, with its parts accessible to tests. */
export class SwarmClient implements AsyncDisposable {
  readonly transport: SwarmTransport
  readonly directory: BlockDirectory
  readonly router: Router
  readonly context: InferenceContext
  readonly checks: SpotChecks | undefined
  readonly #resources = new AsyncDisposableStack()

  static async connect(
    swarm: FakeSwarm,
    overrides: Partial<SwarmConfig>,
    options: ConnectOptions = {},
  ): Promise<SwarmClient> {
    const config = { ...swarmConfigSchema.parse({ initialPeers: [swarm.bootstrap.address] }), ...overrides }
    const transport = await createLibp2pTransport(config)
    await transport.connect(config.initialPeers)
    return new SwarmClient(swarm, transport, config, options)
  }

  private constructor(
    swarm: FakeSwarm,
    transport: SwarmTransport,
    config: SwarmConfig,
    { random, roundTripMs = 2, metrics = silentMetrics }: ConnectOptions,
  ) {
    const { numBlocks, hiddenSize } = swarm
    const rpc = createRpcClient(transport)
    const dht = createDhtClient({ transport, rpc })
    this.transport = this.#resources.use(transport)
    this.directory = this.#resources.use(createBlockDirectory({ dht, dhtPrefix, numBlocks, ...config }))
    this.router = this.#resources.use(
      createRouter({
        directory: this.directory,
        dht: roundTripMs === 'measured' ? dht : withRoundTrips(dht, swarm, roundTripMs),
        askRoom: createRoomProbe(rpc),
        ...config,
      }),
    )
    const context = createInferenceContext({
      router: this.router,
      rpc,
      dhtPrefix,
      blocks: { start: 0, end: numBlocks },
      hiddenSize,
      config,
      logger: silentLogger,
      metrics,
    })
    this.checks = random && this.#resources.use(new SpotChecks(context, random))
    this.context = { ...context, observer: this.checks }
  }

  openSession(maxLength = 2048, makeRoom?: () => Promise<boolean>): InferenceSession {
    return this.#resources.use(createInferenceSession(this.context, { maxLength, makeRoom }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync()
  }
}

function withRoundTrips(dht: DhtClient, { servers }: FakeSwarm, ms: number): DhtClient {
  return {
    getMany: (keys, options) => dht.getMany(keys, options),
    hasAnswered: (peer) => dht.hasAnswered(peer),
    now: () => dht.now(),
    ping: async (peer, options) =>
      servers.some(({ id, runs }) => id === peer && runs) ? ms : await dht.ping(peer, options),
  }
}
