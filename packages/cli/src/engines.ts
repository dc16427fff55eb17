import type { Engine, Logger, Metrics } from '@petals-chat/engine'
import type { ModelStore } from '@petals-chat/hub'
import type { Config } from './config/schema.ts'

export interface EngineContext {
  readonly config: Pick<Config, 'llama'>
  readonly store: ModelStore
  readonly logger: Logger
  readonly metrics: Metrics
}

/** The engines of this build. Each is imported when a model needs it: the libraries behind them are heavy. */
const factories: Readonly<Record<string, (context: EngineContext) => Promise<Engine>>> = {
  llama: async ({ config, store, logger, metrics }) => {
    const { createLlamaEngine } = await import('@petals-chat/llama')
    return createLlamaEngine(config.llama, {
      logger,
      metrics,
      resolveFile: (source, options) => store.resolveFile(source, options),
    })
  },
}

/** Engines of this build, by the name that `models[].engine` has. */
export const engineNames: readonly string[] = Object.keys(factories)

/** The engines that these models need. */
export function createEngines(names: Iterable<string>, context: EngineContext): Promise<readonly Engine[]> {
  return Promise.all([...new Set(names)].map((name) => factories[name]!(context)))
}
