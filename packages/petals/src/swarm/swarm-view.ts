import {
  abortable,
  EngineError,
  precisionName,
  type AbortOptions,
  type Logger,
  type SwarmModelStatus,
  type SwarmServerStatus,
  type SwarmStatus,
  type SwarmView,
} from '@petals-chat/engine'
import { listSwarmModels } from '../blocks/swarm-models.ts'
import { isPublicSwarm, type PetalsModelSpec } from '../config.ts'
import { coverageOf } from './coverage.ts'
import { SwarmError, SwarmUnreachableError } from '../errors.ts'
import type { ModelLocation } from './model-location.ts'
import type { ModelLocator } from './model-locator.ts'
import type { ModelSwarm, ModelSwarms } from './model-swarms.ts'
import type { ServerStatus } from '../routing/router.ts'
import type { SwarmConnection, SwarmConnector } from './swarm-connector.ts'

/** Data older than this are fetched again on request. A page can therefore ask as often as it likes. */
const freshForMs = 5000

/** How long a request waits for fresh data; the next one shows what comes later. The first has nothing older to show. */
const maxWaitMs = 4000
const firstWaitMs = 10_000

export interface SwarmViewOptions {
  /** Models to show. If the list is empty, the view shows every model that servers of the swarm have registered. */
  readonly models: readonly PetalsModelSpec[]
  readonly initialPeers: readonly string[]
  readonly connector: SwarmConnector
  readonly swarms: ModelSwarms
  readonly locator: ModelLocator
  readonly logger: Logger
}

/** Why there are no fresh data. */
interface Problem {
  readonly message: string
  /** No peer of the swarm answered. */
  readonly isUnreachable: boolean
}

/** Creates a view of the swarm as this process sees it. It loads no model. */
export function createSwarmView(options: SwarmViewOptions): SwarmView {
  return new LiveSwarmView(options)
}

class LiveSwarmView implements SwarmView {
  readonly isPublic: boolean
  readonly #options: SwarmViewOptions

  constructor(options: SwarmViewOptions) {
    this.#options = options
    this.isPublic = isPublicSwarm(options.initialPeers)
  }

  async status({ signal }: AbortOptions = {}): Promise<SwarmStatus> {
    const { models } = this.#options
    if (models.length === 0) return await this.#registered({ signal })
    return { models: await Promise.all(models.map((spec) => this.#describe(spec, { signal }))) }
  }

  async #describe(spec: PetalsModelSpec, options: AbortOptions): Promise<SwarmModelStatus> {
    const { connector, locator } = this.#options
    let location: ModelLocation = { dhtPrefix: spec.dhtPrefix ?? '', numBlocks: 0 }
    try {
      const connection = await connector.get(options)
      location = await locator.locate(spec, connection.dht, options)
      return await this.#look(spec.id, location, connection, options)
    } catch (error) {
      return this.#statusOf(spec.id, location, { problem: this.#problem(error, options) })
    }
  }

  async #registered(options: AbortOptions): Promise<SwarmStatus> {
    try {
      return { models: await this.#registeredModels(options) }
    } catch (error) {
      return { models: [], problem: this.#problem(error, options).message }
    }
  }

  async #registeredModels(options: AbortOptions): Promise<readonly SwarmModelStatus[]> {
    const connection = await this.#options.connector.get(options)
    const registered = await listSwarmModels(connection.dht, options)
    return await Promise.all(
      registered.map(async (model) => ({
        ...(await this.#look(model.dhtPrefix, model, connection, options)),
        repository: model.repository,
      })),
    )
  }

  async #look(
    id: string,
    location: ModelLocation,
    connection: SwarmConnection,
    options: AbortOptions,
  ): Promise<SwarmModelStatus> {
    const swarm = this.#options.swarms.of(location, connection)
    const problem = await this.#refresh(swarm).then(
      () => undefined,
      (error: unknown) => this.#problem(error, options),
    )
    options.signal?.throwIfAborted()
    return this.#statusOf(id, swarm, { swarm, problem })
  }

  /** Fetches old data again, but does not wait for long. */
  async #refresh(swarm: ModelSwarm): Promise<void> {
    const isFirst = swarm.directory.snapshot().ageMs === undefined
    const timeout = AbortSignal.timeout(isFirst ? firstWaitMs : maxWaitMs)
    try {
      await abortable(this.#renew(swarm), timeout)
    } catch (error) {
      if (!timeout.aborted) throw error
    }
  }

  async #renew(swarm: ModelSwarm): Promise<void> {
    const { directory, router } = swarm
    if ((directory.snapshot().ageMs ?? Infinity) > freshForMs) await directory.refresh()
    await router.check()
  }

  #statusOf(
    id: string,
    { dhtPrefix, numBlocks }: ModelLocation,
    { swarm, problem }: { readonly swarm?: ModelSwarm; readonly problem?: Problem | undefined },
  ): SwarmModelStatus {
    const servers = swarm?.router.status() ?? []
    const ageMs = swarm?.directory.snapshot().ageMs
    const { replicas, missingBlocks, bottleneck } = coverageOf(servers, numBlocks, 'proven')
    const reachable = problem?.isUnreachable !== true
    return {
      id,
      dhtPrefix,
      blocks: numBlocks,
      replicas,
      reachable,
      servable: numBlocks > 0 && missingBlocks.length === 0,
      missingBlocks: reachable ? missingBlocks : [],
      bottleneck: ageMs === undefined ? undefined : bottleneck,
      servers: servers.map(describeServer).toSorted(byPlace),
      initialPeers: this.#options.initialPeers,
      ageMs: ageMs === undefined ? undefined : Math.round(ageMs),
      problem: problem?.message,
    }
  }

  /** Returns the problem in words for a user. Faults of this program go to the log only. */
  #problem(error: unknown, { signal }: AbortOptions): Problem {
    signal?.throwIfAborted()
    const isUnreachable = error instanceof SwarmUnreachableError
    if (error instanceof SwarmError || error instanceof EngineError)
      return { message: error.message, isUnreachable }
    this.#options.logger.error({ err: error }, 'reading the state of the swarm failed')
    return { message: "The state of the swarm could not be read; the server's log says why.", isUnreachable }
  }
}

function describeServer({
  peer,
  start,
  end,
  server,
  rttSeconds,
  bannedForMs,
  verdict,
}: ServerStatus): SwarmServerStatus {
  return {
    peer,
    publicName: server.publicName,
    state: server.state,
    version: server.version,
    start,
    end,
    throughput: server.throughput,
    inferenceRps: server.inferenceRps,
    dtype: server.torchDtype,
    quantization: server.quantType,
    precision: precisionName({ dtype: server.torchDtype, quantization: server.quantType }),
    adapters: server.adapters,
    usesRelay: server.usingRelay,
    cacheTokensLeft: tokensOf(server.cacheTokensLeft, end - start),
    rttMs: rttSeconds === undefined ? undefined : rttSeconds * 1000,
    bannedForMs: Math.round(bannedForMs),
    verdict: verdict && { ...verdict, remainingMs: Math.round(verdict.remainingMs) },
  }
}

/** Servers announce their free cache in vectors. A token takes two, a key and a value, in each of their blocks. */
const tokensOf = (vectors: number | undefined, blocks: number): number | undefined =>
  vectors === undefined ? undefined : Math.floor(vectors / (2 * Math.max(1, blocks)))

const byPlace = (a: SwarmServerStatus, b: SwarmServerStatus): number =>
  a.start - b.start || a.end - b.end || a.peer.localeCompare(b.peer)
