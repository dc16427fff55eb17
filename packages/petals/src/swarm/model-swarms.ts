import type { Logger, Metrics } from '@petals-chat/engine'
import { createBlockDirectory, type BlockDirectory } from '../blocks/block-directory.ts'
import type { SwarmConfig } from '../config.ts'
import type { ModelLocation } from './model-location.ts'
import { createRouter } from '../routing/swarm-router.ts'
import type { Router } from '../routing/router.ts'
import { createRoomProbe, createServerProbe } from './server-probe.ts'
import type { SwarmConnection } from './swarm-connector.ts'

/** The servers of one model, and the routes through them. */
export interface ModelSwarm extends ModelLocation {
  /** The servers that hold the model's blocks, from the DHT. */
  readonly directory: BlockDirectory
  /** Chooses the servers of a session. */
  readonly router: Router
}

export interface ModelSwarmsOptions {
  readonly config: SwarmConfig
  readonly logger: Logger
  readonly metrics: Metrics
}

/**
 * One directory and one router for each model of the swarm, shared by the engine and the view. They are kept until this
 * object is disposed: what was learnt of servers outlives a model that is unloaded.
 */
export class ModelSwarms implements AsyncDisposable {
  readonly #options: ModelSwarmsOptions
  readonly #swarms = new Map<string, ModelSwarm>()

  constructor(options: ModelSwarmsOptions) {
    this.#options = options
  }

  of(location: ModelLocation, connection: SwarmConnection): ModelSwarm {
    const key = JSON.stringify([location.dhtPrefix, location.numBlocks, location.adapter])
    const swarm = this.#swarms.get(key) ?? this.#create(location, connection)
    this.#swarms.set(key, swarm)
    return swarm
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const swarms = [...this.#swarms.values()]
    this.#swarms.clear()
    await Promise.all(swarms.map(({ router }) => router[Symbol.asyncDispose]()))
    await Promise.all(swarms.map(({ directory }) => directory[Symbol.asyncDispose]()))
  }

  #create(location: ModelLocation, { dht, rpc }: SwarmConnection): ModelSwarm {
    const { config, logger, metrics } = this.#options
    const { dhtPrefix, numBlocks, adapter } = location
    const directory = createBlockDirectory({ ...config, dht, dhtPrefix, numBlocks, logger })
    const router = createRouter({
      ...config,
      directory,
      dht,
      probe: createServerProbe(rpc),
      askRoom: createRoomProbe(rpc),
      allowed: config.allowedServers && new Set(config.allowedServers),
      blocked: new Set(config.blockedServers),
      adapter,
      logger,
      metrics,
    })
    return { ...location, directory, router }
  }
}
