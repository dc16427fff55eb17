import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Model } from '@petals-chat/engine'
import { createModelStore, hubConfigSchema } from '@petals-chat/hub'
import {
  createPetalsEngine,
  petalsModelSchema,
  swarmConfigSchema,
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
  const resources = new AsyncDisposableStack()
  try {
    const swarm = resources.use(await startSwarm(options))
    const spec = petalsModelSchema.parse({
      id: options.model,
      engine: 'petals',
      source: swarm.modelFolder,
      dhtPrefix: swarm.dhtPrefix,
    })
    const cacheFolder = await mkdtemp(path.join(tmpdir(), 'petals-chat-heads-'))
    resources.defer(() => rm(cacheFolder, { recursive: true, force: true }))
    const store = createModelStore(hubConfigSchema.parse({ offline: true }))
    const engine = resources.use(
      createPetalsEngine(swarmConfigSchema.parse({ initialPeers: [...swarm.initialPeers], ...config }), {
        openFiles: (source, open) => store.openFiles(source, open),
        cacheFolder,
        models: [spec],
      }),
    )
    const model = resources.use(await engine.load(spec))
    return { swarm, engine, spec, model, [Symbol.asyncDispose]: () => resources.disposeAsync() }
  } catch (error) {
    await resources.disposeAsync()
    throw error
  }
}
