import type { AbortOptions, FileOptions, Logger, ModelFiles, ModelSource } from '@petals-chat/engine'

export interface ResolveOptions extends FileOptions {
  /** Expected SHA-256 of the file, hex. A file with another hash is never used. */
  readonly sha256?: string | undefined
  /** Ask the Hub whether the revision has moved on, instead of using what is cached. Default false. */
  readonly refresh?: boolean | undefined
}

/** Fetches and caches the files of model sources (`parseModelSource` of the engine package reads a source). */
export interface ModelStore {
  /**
   * The path of the one file that a source means, fetched and cached first if need be. Of a repository or folder it is
   * the GGUF of the wanted quantization (default Q4_K_M, else the next best); of a split GGUF all parts are fetched and
   * the path is the first part's. A second call needs no network.
   * @throws ModelSourceError
   */
  resolveFile(source: ModelSource, options?: ResolveOptions): Promise<string>
  /** The files of a local folder or a repository, all of one commit. @throws ModelSourceError */
  openFiles(
    source: ModelSource,
    options?: AbortOptions & Pick<ResolveOptions, 'refresh'>,
  ): Promise<ModelFiles>
  /** Everything in the caches, sorted by source. */
  list(options?: AbortOptions): Promise<readonly CachedModel[]>
  /** What a source means and how much of it is here; one entry for each alternative. Asks the Hub where it can. */
  info(source: ModelSource, options?: AbortOptions): Promise<readonly ModelSourceInfo[]>
  /** Deletes what the caches hold of a source; a local path is refused. @throws ModelSourceError (`not-found`) */
  remove(source: ModelSource, options?: AbortOptions): Promise<RemovedModel>
  /** Whether the Hub answers; decided within 5 s. */
  canReachHub(options?: AbortOptions): Promise<boolean>
}

export interface CachedModel {
  /** `hf:owner/repo` or `wheel:package==version`. */
  readonly source: string
  readonly type: 'hub' | 'wheel'
  readonly folder: string
  readonly files: readonly CachedFile[]
  /** On the disk, all revisions together, with byte ranges of other files, without unfinished downloads. */
  readonly sizeBytes: number
  /** Unfinished downloads that can be taken up again. */
  readonly partialBytes: number
  readonly modifiedAt: Date
}

export interface CachedFile {
  /** Path inside the repository or wheel. */
  readonly name: string
  /** Commit of the repository, or version of the package. */
  readonly revision: string
  readonly path: string
  readonly sizeBytes: number
}

export interface ModelSourceInfo {
  readonly source: string
  readonly type: 'local' | 'hub' | 'wheel'
  /** The page of the repository. */
  readonly page?: string | undefined
  /** The commit that the revision stands for, where known. */
  readonly commit?: string | undefined
  readonly license?: string | undefined
  /** Whether a licence has to be accepted on the page first. */
  readonly gated?: boolean | undefined
  /** The files that this source means. */
  readonly files: readonly SourceFile[]
  /** All these files together; left out where it is not known. */
  readonly sizeBytes?: number | undefined
  readonly cachedBytes: number
  /** Why there is no more to tell: offline, not found, gated. */
  readonly detail?: string | undefined
}

export interface SourceFile {
  readonly name: string
  readonly sizeBytes?: number | undefined
  /** Where it is on this machine, if it is. */
  readonly path?: string | undefined
}

export interface RemovedModel {
  /** Paths that are gone. */
  readonly paths: readonly string[]
  readonly freedBytes: number
}

export interface ModelStoreOptions {
  readonly logger?: Logger | undefined
  /** For proxies and tests; default the global one. */
  readonly fetch?: typeof fetch | undefined
  /** What relative local paths are relative to: the folder of the config file. Default the working directory. */
  readonly baseFolder?: string | undefined
  /** What `~` stands for; default: the home folder of the current user. */
  readonly home?: string | undefined
}
