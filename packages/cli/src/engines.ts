import {
  formatModelSource,
  loadableModel,
  type LoadableModel,
  type ModelGroup,
  type Logger,
  type Metrics,
  type Engine,
} from '@petals-chat/engine'
import type { ModelStore } from '@petals-chat/hub'
import type { LlamaModelSpec } from '@petals-chat/llama'
import type { DraftSpec, PetalsEngine } from '@petals-chat/petals'
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
  const drafts = context.config.swarm.speculation === 'auto'
  const needsDrafts = models.some((spec) => drafts && spec.engine === 'petals' && spec.speculation?.draft)
  const creatingLlama = needs('llama') || needsDrafts ? createLlama(context) : undefined
  const [llama, petals, upstream] = await Promise.all([
    creatingLlama,
    withSwarm || needs('petals') ? createPetals(context, creatingLlama) : undefined,
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
      await Promise.all([petals?.[Symbol.asyncDispose](), upstream?.[Symbol.asyncDispose]()])
      // Last, since models of the swarm close their draft models.
      await llama?.[Symbol.asyncDispose]()
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

/** The entry that the local engine loads a draft model by. */
async function draftEntry({ id, source }: DraftSpec): Promise<LlamaModelSpec> {
  const { llamaModelSchema } = await import('@petals-chat/llama/config')
  return llamaModelSchema.parse({ id, engine: 'llama', source: formatModelSource(source) })
}

async function createUpstream({ logger }: EngineContext): Promise<UpstreamEngine> {
  const { createUpstreamEngine } = await import('@petals-chat/upstream')
  return createUpstreamEngine({ logger })
}

async function createPetals(
  context: EngineContext,
  llama: Promise<Engine<LlamaModelSpec>> | undefined,
): Promise<PetalsEngine> {
  const { config, baseFolder, store, logger, metrics } = context
  const { createPetalsEngine } = await import('@petals-chat/petals')
  const swarm = withSwarmPaths(config.swarm, baseFolder)
  return createPetalsEngine(swarm, {
    logger,
    metrics,
    openFiles: (source, options) => store.openFiles(source, options),
    loadDraft: llama && (async (draft, options) => (await llama).load(await draftEntry(draft), options)),
    cacheFolder: swarm.cacheDir,
    models: config.models.filter((spec) => spec.engine === 'petals'),
  })
}
