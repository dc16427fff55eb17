import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Logger, Model, ModelSource } from '@petals-chat/engine'
import { createModelStore, hubConfigSchema } from '@petals-chat/hub'
import {
  createPetalsEngine,
  petalsModelSchema,
  swarmConfigSchema,
  type LoadDraft,
  type PetalsEngine,
  type PetalsModelSpec,
  type SwarmConfigInput,
} from '@petals-chat/petals'
import { startSwarm, type Swarm, type SwarmOptions } from '../../../swarm/swarm.ts'

/** A private swarm, and a Petals engine with its model loaded. */
export interface SwarmEngine extends AsyncDisposable {
  readonly swarm: Swarm
  readonly engine: PetalsEngine
  readonly spec: PetalsModelSpec
  readonly model: Model
}

export async function startSwarmEngine(
  options: SwarmOptions,
  config: Partial<SwarmConfigInput> = {},
): Promise<SwarmEngine> {
  await using opening = new AsyncDisposableStack()
  const swarm = opening.use(await startSwarm(options))
  const subject = opening.use(await openSwarmEngine(swarm, options.model, config))
  const resources = opening.move()
  return { ...subject, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}

/** Opens an engine for the model of a swarm that runs already. */
export async function openSwarmEngine(
  swarm: Swarm,
  model: string,
  config: Partial<SwarmConfigInput> = {},
  logger?: Logger,
  drafts?: { readonly draft: ModelSource; readonly loadDraft: LoadDraft },
): Promise<SwarmEngine> {
  await using opening = new AsyncDisposableStack()
  const entry = petalsModelSchema.parse({
    id: model,
    engine: 'petals',
    source: swarm.modelFolder,
    dhtPrefix: swarm.dhtPrefix,
  })
  const spec = drafts ? { ...entry, speculation: { draft: drafts.draft } } : entry
  const cacheFolder = await mkdtemp(path.join(tmpdir(), 'petals-chat-heads-'))
  opening.defer(() => rm(cacheFolder, { recursive: true, force: true }))
  const store = createModelStore(hubConfigSchema.parse({ offline: true }))
  const engine = opening.use(
    createPetalsEngine(swarmConfigSchema.parse({ initialPeers: [...swarm.initialPeers], ...config }), {
      openFiles: (source, open) => store.openFiles(source, open),
      loadDraft: drafts?.loadDraft,
      cacheFolder,
      models: [spec],
      logger,
    }),
  )
  const loaded = opening.use(await engine.load(spec))
  const resources = opening.move()
  return { swarm, engine, spec, model: loaded, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}
