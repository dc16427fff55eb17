import type { Engine, Logger, Metrics, ModelSpec, SwarmView } from '@petals-chat/engine'
import type { ModelStore } from '@petals-chat/hub'
import type { Config } from './config/schema.ts'
import { withSwarmPaths } from './config/swarm-paths.ts'

export interface EngineContext {
  readonly config: Pick<Config, 'llama' | 'swarm'> & { readonly models: readonly ModelSpec[] }
  /** What relative paths of the configuration are relative to. */
  readonly baseFolder: string
  readonly store: ModelStore
  readonly logger: Logger
  readonly metrics: Metrics
}

export type EngineName = ModelSpec['engine']

/** Some engines can show the swarm that they use. */
type AnyEngine = Engine & { readonly swarm?: SwarmView }

/** Each engine is imported when a model needs it: the libraries behind them are heavy. */
const factories: Readonly<Record<EngineName, (context: EngineContext) => Promise<AnyEngine>>> = {
  llama: async ({ config, store, logger, metrics }) => {
    const { createLlamaEngine } = await import('@petals-chat/llama')
    return createLlamaEngine(config.llama, {
      logger,
      metrics,
      resolveFile: (source, options) => store.resolveFile(source, options),
    })
  },
  petals: async ({ config, baseFolder, store, logger, metrics }) => {
    const { createPetalsEngine } = await import('@petals-chat/petals')
    const swarm = withSwarmPaths(config.swarm, baseFolder)
    return createPetalsEngine(swarm, {
      logger,
      metrics,
      openFiles: (source, options) => store.openFiles(source, options),
      cacheFolder: swarm.cacheDir,
      models: config.models.filter(({ engine }) => engine === 'petals'),
    })
  },
}

/** The engines that these models need. */
export function createEngines(
  names: Iterable<EngineName>,
  context: EngineContext,
): Promise<readonly AnyEngine[]> {
  return Promise.all([...new Set(names)].map((name) => factories[name](context)))
}
