import { homedir } from 'node:os'
import {
  type AbortOptions,
  formatModelSource,
  type ModelFiles,
  type ModelSource,
  silentLogger,
  type SingleSource,
  singleSources,
} from '@petals-chat/engine'
import { listRepositories, listWheels } from './cache/cached-models.ts'
import { type HubConfig, hubPaths } from './config.ts'
import { ModelSourceError } from './errors.ts'
import { HubAccess } from './hub/hub-access.ts'
import { type HubContext, createHubContext } from './hub/hub-context.ts'
import { LocalAccess } from './local/local-access.ts'
import type {
  CachedModel,
  ModelSourceInfo,
  ModelStore,
  ModelStoreOptions,
  RemovedModel,
  ResolveOptions,
} from './model-store.types.ts'
import type { SourceAccess } from './source-access.ts'
import { WheelAccess } from './wheel/wheel-access.ts'

/** Creates the store of models: sources, downloads and caches, as the `hub:` section says. It accesses nothing yet. */
export function createModelStore(config: HubConfig, options: ModelStoreOptions = {}): ModelStore {
  const logger = options.logger ?? silentLogger
  const home = options.home ?? homedir()
  const baseFolder = options.baseFolder ?? '.'
  const paths = hubPaths(config, home, baseFolder)
  const context = (hubConfig: HubConfig): HubContext =>
    createHubContext(hubConfig, paths, logger, options.fetch ?? fetch)
  return new CachingModelStore({
    hub: context(config),
    hubWithShortTimeouts: context(shortTimeouts(config)),
    baseFolder,
    home,
  })
}

/** With another source left, the Hub gets less time, because the user is waiting for a progress bar that does not move. */
const shortTimeouts = (config: HubConfig): HubConfig => ({
  ...config,
  retries: Math.min(config.retries, 1),
  requestTimeoutMs: Math.min(config.requestTimeoutMs, 5_000),
})

interface StoreContext {
  readonly hub: HubContext
  readonly hubWithShortTimeouts: HubContext
  readonly baseFolder: string
  readonly home: string
}

/** A source and the access to it. */
interface Alternative {
  readonly text: string
  readonly access: SourceAccess
}

class CachingModelStore implements ModelStore {
  readonly #hub: HubContext
  readonly #context: StoreContext

  constructor(context: StoreContext) {
    this.#hub = context.hub
    this.#context = context
  }

  async resolveFile(source: ModelSource, options: ResolveOptions = {}): Promise<string> {
    const alternatives = this.#open(source)
    // A cached file of any alternative is better than a download from the first one.
    const cached = options.refresh ? undefined : await firstCached(alternatives, options)
    if (cached !== undefined) return cached
    try {
      return await this.#firstThatWorks(alternatives, options, (access) => access.fetchFile(options))
    } catch (error) {
      options.signal?.throwIfAborted()
      const old = options.refresh ? await firstCached(alternatives, options) : undefined
      if (old === undefined) throw error
      this.#hub.logger.warn({ path: old, err: error }, `Using the cached files: ${(error as Error).message}`)
      return old
    }
  }

  async openFiles(
    source: ModelSource,
    options: AbortOptions & Pick<ResolveOptions, 'refresh'> = {},
  ): Promise<ModelFiles> {
    return this.#firstThatWorks(this.#open(source), options, (access) => access.openFiles(options))
  }

  async list(): Promise<readonly CachedModel[]> {
    const { cacheDir, wheelCacheDir } = this.#hub.paths
    return [...(await listRepositories(cacheDir)), ...(await listWheels(wheelCacheDir))]
  }

  async info(source: ModelSource, options: AbortOptions = {}): Promise<readonly ModelSourceInfo[]> {
    return Promise.all(this.#open(source).map(({ access }) => access.info(options)))
  }

  async remove(source: ModelSource): Promise<RemovedModel> {
    const alternatives = this.#open(source)
    const removed = await Promise.all(alternatives.map(({ access }) => access.remove()))
    const found = removed.filter((part) => part !== undefined)
    if (found.length === 0) {
      const texts = alternatives.map(({ text }) => text).join(' || ')
      throw new ModelSourceError('not-found', `Nothing of ${texts} is in the cache.`)
    }
    const freedBytes = found.reduce((sum, part) => sum + part.freedBytes, 0)
    return { paths: found.flatMap(({ paths }) => paths), freedBytes }
  }

  async canReachHub(options?: AbortOptions): Promise<boolean> {
    return this.#hub.canReach(options)
  }

  #open(source: ModelSource): readonly Alternative[] {
    const sources = singleSources(source)
    return sources.map((single, i) => {
      const hub = i < sources.length - 1 ? this.#context.hubWithShortTimeouts : this.#hub
      return { text: formatModelSource(single), access: openSource(single, { ...this.#context, hub }) }
    })
  }

  /** Returns the result of the first alternative or, with a warning, of the next one that works. */
  async #firstThatWorks<T>(
    alternatives: readonly Alternative[],
    { signal }: AbortOptions,
    work: (access: SourceAccess) => Promise<T>,
  ): Promise<T> {
    const failures: ModelSourceError[] = []
    for (const { text, access } of alternatives) {
      try {
        return await work(access)
      } catch (error) {
        signal?.throwIfAborted()
        // A full disk is also full for the next source.
        if (!(error instanceof ModelSourceError) || error.failure === 'storage') throw error
        failures.push(error)
        const next = alternatives[failures.length]
        if (next === undefined) break
        this.#hub.logger.warn({ source: text, next: next.text }, `${error.message} Trying ${next.text}.`)
      }
    }
    throw allFailed(alternatives, failures)
  }
}

function openSource(source: SingleSource, { hub, baseFolder, home }: StoreContext): SourceAccess {
  switch (source.type) {
    case 'local':
      return new LocalAccess(source, baseFolder, home)
    case 'hub':
      return new HubAccess(hub, source)
    case 'wheel': {
      const { config, paths, logger } = hub
      return new WheelAccess({ wheelCacheDir: paths.wheelCacheDir, offline: config.offline, logger }, source)
    }
  }
}

/** Checks only this machine; errors are ignored here, because the download of the source will report them. */
async function firstCached(
  alternatives: readonly Alternative[],
  options: ResolveOptions,
): Promise<string | undefined> {
  for (const { access } of alternatives) {
    const path = await access.cachedFile(options).catch((error: unknown) => {
      if (!(error instanceof ModelSourceError)) throw error
    })
    if (path !== undefined) return path
  }
  return undefined
}

/** Returns the only failure itself, or an error that lists all of them. */
function allFailed(
  alternatives: readonly Alternative[],
  failures: readonly ModelSourceError[],
): ModelSourceError {
  const [first, ...rest] = failures
  if (first !== undefined && rest.length === 0) return first
  const lines = failures.map((failure, i) => `${i + 1}. ${alternatives[i]?.text}: ${failure.message}`)
  const message = `No source of the model works.\n${lines.join('\n')}`
  return new ModelSourceError(failures.at(-1)?.failure ?? 'invalid', message, { cause: failures.at(-1) })
}
