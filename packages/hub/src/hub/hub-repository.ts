import { readFile } from 'node:fs/promises'
import type { AbortOptions, FileOptions } from '@petals-chat/engine'
import { contentCheck, isSha256, noCheck } from '../cache/content-hash.ts'
import { download } from '../cache/download.ts'
import { RepositoryCache, hubCacheName } from '../cache/repository-cache.ts'
import { ModelSourceError } from '../errors.ts'
import { formatBytes } from '../format.ts'
import { inStorage, sizeOf, writeAtomically } from '../storage.ts'
import { HubApi } from './hub-api.ts'
import type { HubContext } from './hub-context.ts'
import { type RepositoryListing, parseStoredListing } from './repository-listing.ts'

export interface HubFileOptions extends FileOptions {
  /** Expected hash; a different one is detected before the download if the Hub sends the hash. */
  readonly sha256?: string | undefined
}

/** One repository of the Hub, and the part of it that is cached. */
export class HubRepository {
  readonly name: string
  readonly page: string
  readonly cache: RepositoryCache
  readonly #hub: HubContext
  readonly #api: HubApi

  constructor(hub: HubContext, name: string) {
    this.name = name
    this.page = `${hub.config.endpoint}/${name}`
    this.cache = new RepositoryCache(hub.paths.cacheDir, hubCacheName(name))
    this.#hub = hub
    this.#api = new HubApi(hub, name)
  }

  /**
   * Returns the files of a revision, from the cache if they are known. With `refresh`, asks the Hub for the current commit
   * of the revision; if the Hub can't be reached, uses the cache.
   */
  async listing(
    revision: string,
    options: AbortOptions & { readonly refresh?: boolean | undefined },
  ): Promise<RepositoryListing> {
    const cached = await this.cachedListing(revision)
    if (cached !== undefined && !options.refresh) return cached
    try {
      return await this.#fetchListing(revision, options)
    } catch (error) {
      options.signal?.throwIfAborted()
      if (cached === undefined) return await this.#namesInCache(revision, error)
      this.#hub.logger.warn(
        { repo: this.name, err: error },
        `Using the cached files of ${this.name}: ${(error as Error).message}`,
      )
      return cached
    }
  }

  /** Returns the listing that was stored when the Hub was last asked. */
  async cachedListing(revision: string): Promise<RepositoryListing | undefined> {
    const commit = await this.cache.readRef(revision)
    if (commit === undefined) return undefined
    return parseStoredListing(await readFile(this.#listingPath(commit), 'utf8').catch(() => ''))
  }

  async #fetchListing(revision: string, options: AbortOptions): Promise<RepositoryListing> {
    const listing = await this.#api.listing(revision, options)
    try {
      await this.cache.writeRef(revision, listing.commit)
      const path = this.#listingPath(listing.commit)
      await inStorage(this.cache.folder, () => writeAtomically(path, JSON.stringify(listing)))
    } catch (error) {
      // The cache may be read-only with all files in it; then the list is requested at every start.
      this.#hub.logger.warn({ repo: this.name, err: error }, `The list of files of ${this.name} is not kept`)
    }
    return listing
  }

  /** Lists the cached files, for a cache that another program filled while the Hub can't be reached. */
  async #namesInCache(revision: string, error: unknown): Promise<RepositoryListing> {
    const isDown =
      error instanceof ModelSourceError && ['offline', 'unreachable', 'interrupted'].includes(error.failure)
    const commit = isDown ? await this.cache.readRef(revision) : undefined
    const names = commit === undefined ? [] : await this.cache.names(commit)
    if (commit === undefined || names.length === 0) throw error
    return { commit, files: names.map((name) => ({ name })), gated: false, isComplete: false }
  }

  /** Returns the path of a file if it is cached and has the expected hash. */
  async cachedFile(revision: string, name: string, options: HubFileOptions): Promise<string | undefined> {
    const commit = await this.cache.readRef(revision)
    const path = commit === undefined ? undefined : await this.cache.find(commit, name)
    if (path === undefined || options.sha256 === undefined) return path
    if (await this.cache.hasSha256(path, options.sha256, options)) return path
    this.#hub.logger.warn(
      { path, sha256: options.sha256 },
      `The cached ${name} is not the expected file; asking the Hub again`,
    )
    return undefined
  }

  /**
   * Downloads one file into the cache and returns its path. Content that is already in the cache, under another name or
   * commit, is not downloaded again.
   */
  async fetchFile(revision: string, name: string, { sha256, ...options }: HubFileOptions): Promise<string> {
    // A name that is not usable as a path fails here, before any request or write.
    this.cache.pointerPath('0', name)
    const { commit, etag, sizeBytes, validator } = await this.#api.metadata(revision, name, options)
    if (sha256 !== undefined && isSha256(etag) && etag !== sha256) throw this.#otherHash(name, sha256, etag)
    await this.cache.writeRef(revision, commit)
    this.#hub.logger.info(
      { repo: this.name, file: name, commit, sizeBytes },
      `Downloading ${name}, ${formatBytes(sizeBytes)}`,
    )
    await download({
      ...options,
      path: this.cache.blobPath(etag),
      lockPath: this.cache.lockPath(etag),
      sizeBytes,
      label: name,
      check: contentCheck(etag, sizeBytes, sha256),
      read: (start) =>
        this.#api.read(commit, name, { ...options, start, end: sizeBytes, sizeBytes, validator }),
    })
    const path = await this.cache.link(etag, commit, name)
    if (sha256 === undefined || (await this.cache.hasSha256(path, sha256, options))) return path
    throw this.#otherHash(name, sha256)
  }

  /** Returns the length of a file from the Hub. */
  async size(revision: string, name: string, options: AbortOptions): Promise<number> {
    return (await this.#api.metadata(revision, name, options)).sizeBytes
  }

  /**
   * Returns the path of a file that contains bytes [start, end) of a file of the repository. It is kept in the cache,
   * because the next start will need it again. Parts have no hash, so only the commit and the size identify the content.
   */
  async rangeFile(
    commit: string,
    name: string,
    start: number,
    end: number,
    options: FileOptions,
  ): Promise<string> {
    const path = this.cache.ownPath('ranges', commit, name, `${start}-${end}`)
    if ((await sizeOf(path)) === end - start) return path
    await this.#hub.requireReach(`${this.name}/${name}`, options)
    await download({
      ...options,
      path,
      lockPath: this.cache.lockPath(`${commit}/${name}/${start}-${end}`),
      sizeBytes: end - start,
      label: name,
      check: noCheck,
      read: (position) => this.#api.read(commit, name, { ...options, start: start + position, end }),
    })
    return path
  }

  #otherHash(name: string, expected: string, found?: string): ModelSourceError {
    return new ModelSourceError(
      'corrupt',
      `${this.name}/${name} is not the expected file: its sha256 is ${found ?? 'different'}, not ${expected}. It is not used; correct the source or its sha256.`,
    )
  }

  #listingPath(commit: string): string {
    return this.cache.ownPath('listings', `${commit}.json`)
  }
}
