import { stat } from 'node:fs/promises'
import { type AbortOptions, type ModelFiles, type HubSource, formatModelSource } from '@petals-chat/engine'
import { removeFiles, removeRepository } from '../cache/cache-scan.ts'
import { ModelSourceError } from '../errors.ts'
import type { ModelSourceInfo, RemovedModel, ResolveOptions, SourceFile } from '../model-store.types.ts'
import type { SourceAccess } from '../source-access.ts'
import { chooseGguf, splitParts } from './gguf-choice.ts'
import type { HubContext } from './hub-context.ts'
import { HubModelFiles } from './hub-model-files.ts'
import { HubRepository } from './hub-repository.ts'
import type { RepositoryFile, RepositoryListing } from './repository-listing.ts'

/** A repository of the Hub, a file of it, or its GGUF of a quantization. */
export class HubAccess implements SourceAccess {
  readonly #source: HubSource
  readonly #repository: HubRepository

  constructor(hub: HubContext, source: HubSource) {
    this.#source = source
    this.#repository = new HubRepository(hub, source.repo)
  }

  async cachedFile(options: ResolveOptions): Promise<string | undefined> {
    const { revision } = this.#source
    const listing =
      this.#source.file === undefined ? await this.#repository.cachedListing(revision) : undefined
    const names =
      this.#source.file === undefined ? listing && this.#choose(listing) : splitParts(this.#source.file)
    if (names === undefined) return undefined
    const paths = await Promise.all(
      names.map((name) => this.#repository.cachedFile(revision, name, hashOf(names, options))),
    )
    return paths.includes(undefined) ? undefined : paths[0]
  }

  async fetchFile(options: ResolveOptions): Promise<string> {
    const listing =
      this.#source.file === undefined
        ? await this.#repository.listing(this.#source.revision, options)
        : undefined
    const names = listing === undefined ? splitParts(this.#source.file ?? '') : this.#choose(listing)
    const revision = listing?.commit ?? this.#source.revision
    const paths: string[] = []
    for (const name of names) {
      const partOptions = hashOf(names, options)
      const cached = options.refresh
        ? undefined
        : await this.#repository.cachedFile(revision, name, partOptions)
      paths.push(cached ?? (await this.#repository.fetchFile(revision, name, partOptions)))
    }
    return paths[0] ?? ''
  }

  async openFiles(options: AbortOptions & Pick<ResolveOptions, 'refresh'>): Promise<ModelFiles> {
    const { file, quantization, repo, revision } = this.#source
    if (file !== undefined || quantization !== undefined) {
      throw new ModelSourceError(
        'invalid',
        `${formatModelSource(this.#source)} is one file, but the whole repository is needed: write hf:${repo}${revision === 'main' ? '' : `@${revision}`}.`,
      )
    }
    return new HubModelFiles(this.#repository, revision, await this.#repository.listing(revision, options))
  }

  async info(options: AbortOptions): Promise<ModelSourceInfo> {
    const { listing, detail } = await this.#listingOrReason(options)
    const files = await Promise.all(
      (listing === undefined ? [] : this.#meant(listing)).map((file) => this.#fileInfo(listing, file)),
    )
    const sizes = files.map(({ sizeBytes }) => sizeBytes)
    return {
      source: formatModelSource(this.#source),
      type: 'hub',
      page: this.#repository.page,
      commit: listing?.commit,
      license: listing?.license,
      gated: listing?.gated,
      files,
      sizeBytes: sizes.length === 0 || sizes.includes(undefined) ? undefined : sum(files),
      cachedBytes: sum(files.filter(({ path }) => path !== undefined)),
      detail,
    }
  }

  async remove(): Promise<RemovedModel | undefined> {
    const { file, quantization, revision } = this.#source
    if (file === undefined && quantization === undefined) return removeRepository(this.#repository.cache)
    const commit = await this.#repository.cache.readRef(revision)
    if (commit === undefined) return undefined
    const cached = await this.#repository.cache.names(commit)
    const meant = file === undefined ? chooseGguf(cached, quantization, 'The cache') : splitParts(file)
    return removeFiles(this.#repository.cache, ({ name }) => meant.includes(name))
  }

  #choose(listing: RepositoryListing): readonly string[] {
    const names = listing.files.map(({ name }) => name)
    return chooseGguf(names, this.#source.quantization, `${this.#source.repo}@${this.#source.revision}`)
  }

  async #listingOrReason(
    options: AbortOptions,
  ): Promise<{ readonly listing?: RepositoryListing; readonly detail?: string }> {
    try {
      const listing = await this.#repository.listing(this.#source.revision, options)
      this.#meant(listing)
      return { listing }
    } catch (error) {
      if (error instanceof ModelSourceError) return { detail: error.message }
      throw error
    }
  }

  #meant({ files, ...listing }: RepositoryListing): readonly RepositoryFile[] {
    const { file, quantization } = this.#source
    if (file === undefined && quantization === undefined) return files
    const names = file === undefined ? this.#choose({ files, ...listing }) : splitParts(file)
    return names.map((name) => files.find((entry) => entry.name === name) ?? { name })
  }

  async #fileInfo(
    listing: RepositoryListing | undefined,
    { name, sizeBytes }: RepositoryFile,
  ): Promise<SourceFile> {
    const path =
      listing === undefined ? undefined : await this.#repository.cachedFile(listing.commit, name, {})
    const size = sizeBytes ?? (path === undefined ? undefined : (await stat(path)).size)
    return { name, sizeBytes: size, path }
  }
}

/** A single hash can't be that of several parts. */
const hashOf = (names: readonly string[], options: ResolveOptions): ResolveOptions =>
  names.length === 1 ? options : { ...options, sha256: undefined }

const sum = (files: readonly SourceFile[]): number =>
  files.reduce((total, { sizeBytes = 0 }) => total + sizeBytes, 0)
