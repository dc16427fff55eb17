import type { AbortOptions, FileOptions, Logger, ModelFiles, ModelSource } from '@petals-chat/engine'

export interface ResolveOptions extends FileOptions {
  /** Expected SHA-256 of the file, hex. A file with another hash is never used. */
  readonly sha256?: string | undefined
  /** Ask the Hub for the current commit of the revision, instead of using the cache. Default false. */
  readonly refresh?: boolean | undefined
}

/** Downloads and caches the files of model sources (`parseModelSource` of the engine package reads a source). */
export interface ModelStore {
  /**
   * Returns the path of the one file that a source means; downloads and caches it first if needed. For a repository or
   * folder, it is the GGUF of the requested quantization (default Q4_K_M, else the next best); of a split GGUF all parts
   * are downloaded, and the path is that of the first part. A second call needs no network.
   * @throws ModelSourceError
   */
  resolveFile(source: ModelSource, options?: ResolveOptions): Promise<string>
  /** Opens the files of a local folder or of one commit of a repository. @throws ModelSourceError */
  openFiles(
    source: ModelSource,
    options?: AbortOptions & Pick<ResolveOptions, 'refresh'>,
  ): Promise<ModelFiles>
  /** Lists everything in the caches, sorted by source. */
  list(options?: AbortOptions): Promise<readonly CachedModel[]>
  /** Describes a source and how much of it is on this machine; one entry for each alternative. Asks the Hub if possible. */
  info(source: ModelSource, options?: AbortOptions): Promise<readonly ModelSourceInfo[]>
  /** Deletes what the caches hold of a source; a local path is refused. @throws ModelSourceError (`not-found`) */
  remove(source: ModelSource, options?: AbortOptions): Promise<RemovedModel>
  /** Returns whether the Hub responds, within 5 s. */
  canReachHub(options?: AbortOptions): Promise<boolean>
}

export interface CachedModel {
  /** `hf:owner/repo` or `wheel:package==version`. */
  readonly source: string
  readonly type: 'hub' | 'wheel'
  readonly folder: string
  readonly files: readonly CachedFile[]
  /** Bytes on disk of all revisions, including byte ranges of other files, without unfinished downloads. */
  readonly sizeBytes: number
  /** Bytes of unfinished downloads that can be resumed. */
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
  /** Size of all these files together; absent if unknown. */
  readonly sizeBytes?: number | undefined
  readonly cachedBytes: number
  /** Why details are missing: offline, not found, gated. */
  readonly detail?: string | undefined
}

export interface SourceFile {
  readonly name: string
  readonly sizeBytes?: number | undefined
  /** Path on this machine, if it is here. */
  readonly path?: string | undefined
}

export interface RemovedModel {
  /** Deleted paths. */
  readonly paths: readonly string[]
  readonly freedBytes: number
}

export interface ModelStoreOptions {
  readonly logger?: Logger | undefined
  /** For proxies and tests; default the global one. */
  readonly fetch?: typeof fetch | undefined
  /** Base of relative local paths: the folder of the config file. Default: the working directory. */
  readonly baseFolder?: string | undefined
  /** What `~` stands for; default: the home folder of the current user. */
  readonly home?: string | undefined
}
