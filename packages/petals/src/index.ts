/**
 * The swarm engine: a native client of a Petals swarm. The embeddings and the LM head of a model run in this process, its
 * blocks run on the servers of the swarm. `@petals-chat/petals/client` is the swarm without the engine.
 *
 * ```ts
 * const config = swarmConfigSchema.parse({ initialPeers: ['/ip4/127.0.0.1/tcp/31337/p2p/Qm…'] })
 * await using engine = createPetalsEngine(config, { openFiles: (source, options) => store.openFiles(source, options), cacheFolder })
 * const spec = petalsModelSchema.parse({ id: 'mine', engine: 'petals', source: 'hf:owner/repo' })
 * await using model = await engine.load(spec)
 * console.log((await engine.swarm.status()).models)
 * ```
 *
 * @packageDocumentation
 */
export {
  deriveDhtPrefix,
  petalsModelSchema,
  publicInitialPeers,
  swarmConfigSchema,
  type PetalsModelInput,
  type PetalsModelSpec,
  type SwarmConfig,
  type SwarmConfigInput,
} from './config.ts'
export {
  prepareLocalPart,
  removeLocalPart,
  type LocalPartOptions,
  type RemovedFiles,
  type RemoveLocalPartOptions,
} from './model/local-part.ts'
export { requireFittingDraft } from './model/draft-vocabulary.ts'
export { readSwarmModelInfo, type SwarmModelInfo } from './model/model-info.ts'
export type { DraftSpec, LoadDraft } from './model/open-draft-model.ts'
export { createPetalsEngine, type PetalsEngine, type PetalsEngineDependencies } from './petals-engine.ts'
