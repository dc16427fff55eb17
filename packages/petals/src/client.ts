/**
 * A client of a Petals swarm without a chat engine: no tokenizer, no model files, no sampling. It joins the swarm's DHT,
 * finds the servers of a model, and runs hidden states through the model's blocks. The embeddings before the blocks, and
 * the final norm and LM head after them, are the caller's.
 *
 * ```ts
 * await using client = await connectSwarm({ initialPeers: ['/ip4/127.0.0.1/tcp/31337/p2p/Qm…'] })
 * const [registered] = await client.listModels()
 * const model = client.openModel({ ...registered, hiddenSize: 2048 })
 * await using session = model.openSession({ maxLength: 64 })
 * const outputs = await session.step({ shape: [1, 2048], data: new Float32Array(2048) })
 * ```
 *
 * @packageDocumentation
 */
import {
  silentLogger,
  silentMetrics,
  type AbortOptions,
  type Logger,
  type Metrics,
} from '@petals-chat/engine'
import { listSwarmModels, type SwarmModel } from './blocks/swarm-models.ts'
import { swarmConfigSchema, type SwarmConfigInput } from './config.ts'
import type { DhtClient } from './dht/dht-client.ts'
import { openRemoteModel, type RemoteModel } from './model/remote-model.ts'
import type { PeerId } from './p2p/peer-id.ts'
import type { RpcClient } from './rpc/rpc-client.ts'
import type { ModelLocation } from './swarm/model-location.ts'
import { ModelSwarms, type ModelSwarmsOptions } from './swarm/model-swarms.ts'
import { SwarmConnector, type SwarmConnection } from './swarm/swarm-connector.ts'

export type { BlockDirectory, DirectorySnapshot, FindSpansOptions } from './blocks/block-directory.ts'
export type { BlockRange } from './blocks/block-range.ts'
export type { ServerInfo, ServerState } from './blocks/server-info.ts'
export type { AnnouncedSpan, Span } from './blocks/spans.ts'
export type { SwarmModel } from './blocks/swarm-models.ts'
export { publicInitialPeers, swarmConfigSchema, type SwarmConfig, type SwarmConfigInput } from './config.ts'
export type { DhtClient, DhtEntry, DhtRecord, GetManyOptions, PingOptions } from './dht/dht-client.ts'
export * from './errors.ts'
export type { SessionFailover } from './inference/failover-log.ts'
export type { InferenceSession, OpenOptions, StepOptions } from './inference/inference-session.ts'
export type { RemoteModel, RemoteSessionOptions } from './model/remote-model.ts'
export { parsePeerId, type PeerId } from './p2p/peer-id.ts'
export type { Hop, Route, RouteOptions, Router, ServerStatus } from './routing/router.ts'
export type {
  OpenRpcStreamOptions,
  ReceiveOptions,
  RpcClient,
  RpcMethod,
  RpcStream,
  UnaryOptions,
} from './rpc/rpc-client.ts'
export type { ModelLocation } from './swarm/model-location.ts'
export type { HiddenStates } from './tensor/hidden-states.ts'
export type { MsgpackValue } from './wire/msgpack-values.ts'

export interface ConnectSwarmOptions extends AbortOptions {
  /** Default: no logs. */
  readonly logger?: Logger | undefined
  /** Default: no metrics. */
  readonly metrics?: Metrics | undefined
}

/** A node in a swarm. Disposing it closes the sessions of its models, and then every connection. */
export interface SwarmClient extends AsyncDisposable {
  /** This node's own id. */
  readonly localPeer: PeerId
  /** Reads hivemind's DHT (`hivemind/dht`) as a client, for example `dht.getMany(['_petals.models'])`. */
  readonly dht: DhtClient
  /** Calls the methods of peers (`hivemind/p2p/servicer.py`), for example `TransformerConnectionHandler.rpc_info`. */
  readonly rpc: RpcClient
  /** Returns the models that servers of the swarm have registered. @throws PeerUnreachableError if no node answers */
  listModels(options?: AbortOptions): Promise<readonly SwarmModel[]>
  /** Returns a model's servers, and the way to run its blocks. Contacts no peer: its first use does. */
  openModel(options: OpenModelOptions): RemoteModel
}

export interface OpenModelOptions extends ModelLocation {
  /** Length of a hidden-state vector: `hidden_size` of the model's config.json. */
  readonly hiddenSize: number
}

/**
 * Joins a swarm: connects to at least one of its initial peers. Keys of `config` that are left out have the defaults of
 * {@link swarmConfigSchema}.
 * @throws ZodError if `config` does not fit the schema
 * @throws SwarmUnreachableError if no initial peer can be reached
 */
export async function connectSwarm(
  config: SwarmConfigInput,
  { logger = silentLogger, metrics = silentMetrics, signal }: ConnectSwarmOptions = {},
): Promise<SwarmClient> {
  const parsed = swarmConfigSchema.parse(config)
  await using opening = new AsyncDisposableStack()
  const connector = opening.use(new SwarmConnector({ config: parsed, logger }))
  const connection = await connector.get({ signal })
  const swarms = opening.use(new ModelSwarms({ config: parsed, logger, metrics }))
  return createClient(connection, { config: parsed, logger, metrics, swarms, resources: opening.move() })
}

interface ClientOptions extends ModelSwarmsOptions {
  readonly swarms: ModelSwarms
  readonly resources: AsyncDisposableStack
}

function createClient(
  { transport, dht, rpc }: SwarmConnection,
  { swarms, resources, ...options }: ClientOptions,
): SwarmClient {
  const { logger } = options
  return {
    localPeer: transport.localPeer,
    dht,
    rpc,
    listModels: (abort) => listSwarmModels(dht, abort),
    openModel({ dhtPrefix, numBlocks, adapter, hiddenSize }) {
      const swarm = swarms.of({ dhtPrefix, numBlocks, adapter }, { transport, dht, rpc })
      const modelLogger = logger.child({ model: dhtPrefix })
      return resources.use(openRemoteModel(swarm, { ...options, rpc, hiddenSize, logger: modelLogger }))
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}
