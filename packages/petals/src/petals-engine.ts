import {
  silentLogger,
  silentMetrics,
  type Engine,
  type LoadOptions,
  type SwarmView,
} from '@petals-chat/engine'
import type { PetalsModelSpec, SwarmConfig } from './config.ts'
import { loadPetalsModel, type ModelDependencies } from './model/load-model.ts'
import { ModelLocator } from './swarm/model-locator.ts'
import { ModelSwarms } from './swarm/model-swarms.ts'
import type { PetalsModel } from './model/petals-model.ts'
import { SwarmConnector } from './swarm/swarm-connector.ts'
import { createSwarmView } from './swarm/swarm-view.ts'

export interface PetalsEngineDependencies extends ModelDependencies {
  /** Models that `swarm` shows. If none is given, it shows every model that servers of the swarm have registered. */
  readonly models?: readonly PetalsModelSpec[] | undefined
}

/** An engine whose models run on the servers of a Petals swarm. */
export interface PetalsEngine extends Engine<PetalsModelSpec> {
  /** The models and servers of the swarm, as this process sees them. Loads no model. */
  readonly swarm: SwarmView
}

/**
 * Creates the engine. It joins the swarm when the first model is loaded, or when `swarm` is first asked. Loading fails as a
 * `ModelUnavailableError`; disposing the engine closes its models and leaves the swarm.
 */
export function createPetalsEngine(
  config: SwarmConfig,
  dependencies: PetalsEngineDependencies,
): PetalsEngine {
  const { logger = silentLogger, metrics = silentMetrics, openFiles, models = [] } = dependencies
  const connector = new SwarmConnector({ config, logger })
  const swarms = new ModelSwarms({ config, logger, metrics })
  const loaded = new Set<PetalsModel>()
  const view = createSwarmView({
    models,
    initialPeers: config.initialPeers,
    connector,
    swarms,
    locator: new ModelLocator(openFiles),
    logger,
  })

  return {
    name: 'petals',
    swarm: view,
    async load(spec: PetalsModelSpec, options: LoadOptions = {}) {
      const onClose = (): void => void loaded.delete(model)
      const model = await loadPetalsModel(spec, {
        ...options,
        ...dependencies,
        config,
        connector,
        swarms,
        onClose,
      })
      loaded.add(model)
      return model
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...loaded].map((model) => model[Symbol.asyncDispose]()))
      await swarms[Symbol.asyncDispose]()
      await connector[Symbol.asyncDispose]()
    },
  }
}
