import type { AbortOptions, ModelFiles, ModelSource } from '@petals-chat/engine'
import { listSwarmModels, type SwarmModel } from '../blocks/swarm-models.ts'
import type { DhtClient } from '../dht/dht-client.ts'
import type { PetalsModelSpec } from '../config.ts'
import { readArchitecture } from '../layers/architecture.ts'
import { locationOf, repositoryOf, type LocatableSpec, type ModelLocation } from './model-location.ts'

/** Opens the files of a model, on the Hub or on this machine. @throws ModelUnavailableError */
export type OpenFiles = (source: ModelSource, options: AbortOptions) => Promise<ModelFiles>

/** Finds the location of models without loading them: from config.json, or from what servers have registered. */
export class ModelLocator {
  readonly #openFiles: OpenFiles
  readonly #known = new Map<PetalsModelSpec, ModelLocation>()

  constructor(openFiles: OpenFiles) {
    this.#openFiles = openFiles
  }

  /** @throws ModelUnavailableError with the fault of config.json, if no server has registered the model either */
  async locate(spec: PetalsModelSpec, dht: DhtClient, options: AbortOptions): Promise<ModelLocation> {
    const location = this.#known.get(spec) ?? (await this.#find(spec, dht, options))
    this.#known.set(spec, location)
    return location
  }

  async #find(spec: PetalsModelSpec, dht: DhtClient, options: AbortOptions): Promise<ModelLocation> {
    try {
      const files = await this.#openFiles(spec.source, options)
      return locationOf(spec, await readArchitecture(files, options))
    } catch (error) {
      options.signal?.throwIfAborted()
      const registered = (await listSwarmModels(dht, options)).find((model) => isSame(model, spec))
      if (!registered) throw error
      return { dhtPrefix: registered.dhtPrefix, numBlocks: registered.numBlocks, adapter: spec.adapter }
    }
  }
}

/** Servers register a model under its prefix, with the URL of its repository. */
function isSame({ dhtPrefix, repository }: SwarmModel, spec: LocatableSpec): boolean {
  if (spec.dhtPrefix !== undefined) return dhtPrefix === spec.dhtPrefix
  const wanted = repositoryOf(spec.source)
  return wanted !== undefined && repository !== undefined && new URL(repository).pathname === `/${wanted}`
}
