import {
  loadableModel,
  type LoadableModel,
  type ModelGroup,
  type Logger,
  type Metrics,
  type Engine,
} from '@petals-chat/engine'
import type { ModelStore } from '@petals-chat/hub'
import type { LlamaModelSpec } from '@petals-chat/llama'
import type { PetalsEngine } from '@petals-chat/petals'
import type { UpstreamEngine } from '@petals-chat/upstream'
import type { Config, ModelEntry } from './config/schema.ts'
import { withSwarmPaths } from './config/swarm-paths.ts'

export interface EngineContext {
  readonly config: Pick<Config, 'llama' | 'swarm'> & { readonly models: readonly ModelEntry[] }
  /** Base of relative paths in the configuration. */
  readonly baseFolder: string
  readonly store: ModelStore
  readonly logger: Logger
  readonly metrics: Metrics
}

/** The engines that are needed. Each is imported only then, because its libraries are heavy. */
export interface Engines extends AsyncDisposable {
  readonly llama: Engine<LlamaModelSpec> | undefined
  readonly petals: PetalsEngine | undefined
  readonly upstream: UpstreamEngine | undefined
  /** The configured models, each with the engine that loads it. */
  readonly models: readonly (LoadableModel | ModelGroup)[]
}

/** Creates the engines of the configured models; with `withSwarm`, also the swarm engine, to show a swarm without models. */
export async function createEngines(
  context: EngineContext,
  { withSwarm = false }: { readonly withSwarm?: boolean } = {},
): Promise<Engines> {
  const { models } = context.config
  const needs = (name: ModelEntry['engine']) => models.some(({ engine }) => engine === name)
  const [llama, petals, upstream] = await Promise.all([
    needs('llama') ? createLlama(context) : undefined,
    withSwarm || needs('petals') ? createPetals(context) : undefined,
    needs('upstream') ? createUpstream(context) : undefined,
  ])
  return {
    llama,
    petals,
    upstream,
    models: models.map((spec) => {
      if (spec.engine === 'upstream') return upstream!.add(spec)
      return spec.engine === 'llama' ? loadableModel(spec, llama!) : loadableModel(spec, petals!)
    }),
    async [Symbol.asyncDispose]() {
      await Promise.all([
        llama?.[Symbol.asyncDispose](),
        petals?.[Symbol.asyncDispose](),
        upstream?.[Symbol.asyncDispose](),
      ])
    },
  }
}

async function createLlama({
  config,
  store,
  logger,
  metrics,
}: EngineContext): Promise<Engine<LlamaModelSpec>> {
  const { createLlamaEngine } = await import('@petals-chat/llama')
  return createLlamaEngine(config.llama, {
    logger,
    metrics,
    resolveFile: (source, options) => store.resolveFile(source, options),
  })
}

async function createUpstream({ logger }: EngineContext): Promise<UpstreamEngine> {
  const { createUpstreamEngine } = await import('@petals-chat/upstream')
  return createUpstreamEngine({ logger })
}

async function createPetals(context: EngineContext): Promise<PetalsEngine> {
  const { config, baseFolder, store, logger, metrics } = context
  const { createPetalsEngine } = await import('@petals-chat/petals')
  const swarm = withSwarmPaths(config.swarm, baseFolder)
  return createPetalsEngine(swarm, {
    logger,
    metrics,
    openFiles: (source, options) => store.openFiles(source, options),
    cacheFolder: swarm.cacheDir,
    models: config.models.filter((spec) => spec.engine === 'petals'),
  })
}
