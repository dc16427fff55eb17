import { type LoadableModel, type Logger, type ModelGroup, silentLogger } from '@petals-chat/engine'
import type { UpstreamModelSpec } from './config.ts'
import { HttpClient } from './http/http-client.ts'
import { DiscoveredModels } from './model/discovered-models.ts'
import { servedModel } from './model/served-model.ts'
import { ServerPool } from './servers/server-pool.ts'

export interface UpstreamEngineDeps {
  readonly logger?: Logger | undefined
}

/** Models that other servers run. */
export interface UpstreamEngine extends AsyncDisposable {
  /** Begins to look at the servers of an entry, and returns its model, or all models that they list. */
  add(spec: UpstreamModelSpec): LoadableModel | ModelGroup
  /** Resolves when each server has been looked at once: what they list is known then. */
  looked(): Promise<void>
}

/** Creates the engine of the models that other OpenAI-compatible servers run. It loads nothing. */
export function createUpstreamEngine({ logger = silentLogger }: UpstreamEngineDeps = {}): UpstreamEngine {
  const client = new HttpClient()
  const pools: ServerPool[] = []
  return {
    add(spec) {
      const own = logger.child({ model: spec.id })
      const baseUrls = spec.baseUrls ?? [spec.baseUrl!]
      const pool = new ServerPool({ ...spec, baseUrls, client, logger: own })
      pools.push(pool)
      const deps = { pool, client, logger: own }
      return spec.models === 'auto'
        ? new DiscoveredModels(spec, deps)
        : servedModel(spec, { ...deps, name: spec.model ?? spec.id })
    },
    async looked() {
      await Promise.all(pools.map((pool) => pool.looked()))
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(pools.map((pool) => pool[Symbol.asyncDispose]()))
      client[Symbol.dispose]()
    },
  }
}
