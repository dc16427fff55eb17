import type { AbortOptions, FileOptions, FileRange, ModelFiles } from '@petals-chat/engine'
import {
  readKnownRange,
  readText,
  requireBytes,
  requireRange,
  requireTextLength,
} from '../cache/read-range.ts'
import { isNotFound } from '../errors.ts'
import { sizeOf } from '../storage.ts'
import type { HubRepository } from './hub-repository.ts'
import type { RepositoryListing } from './repository-listing.ts'

/** The files of one commit of a repository. */
export class HubModelFiles implements ModelFiles {
  readonly description: string
  readonly #repository: HubRepository
  readonly #listing: RepositoryListing

  constructor(repository: HubRepository, revision: string, listing: RepositoryListing) {
    this.description = `${repository.name}@${revision}`
    this.#repository = repository
    this.#listing = listing
  }

  async list(): Promise<readonly string[]> {
    return this.#listing.files.map(({ name }) => name)
  }

  async path(name: string, options: FileOptions = {}): Promise<string> {
    const { commit } = this.#listing
    return (
      (await this.#repository.cachedFile(commit, name, options)) ??
      (await this.#repository.fetchFile(commit, name, options))
    )
  }

  async text(name: string, options: AbortOptions = {}): Promise<string | undefined> {
    const path = await this.textPath(name, options)
    return path === undefined ? undefined : readText(path)
  }

  async textPath(name: string, options: AbortOptions = {}): Promise<string | undefined> {
    const { commit, files, isComplete } = this.#listing
    const isListed = files.some((file) => file.name === name)
    if (!isListed && (isComplete || (await this.#repository.cache.isKnownMissing(commit, name))))
      return undefined
    try {
      requireTextLength(name, files.find((file) => file.name === name)?.sizeBytes)
      return await this.path(name, options)
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  async size(name: string, options: AbortOptions = {}): Promise<number> {
    const { commit, files } = this.#listing
    const listed = files.find((file) => file.name === name)?.sizeBytes
    if (listed !== undefined) return listed
    const path = await this.#repository.cachedFile(commit, name, options)
    return path === undefined ? this.#repository.size(commit, name, options) : sizeOf(path)
  }

  async range(name: string, start: number, end: number, options: FileOptions = {}): Promise<Uint8Array> {
    const { path, offset } = await this.rangeFile(name, start, end, options)
    return readKnownRange(path, offset, offset + end - start)
  }

  async rangeFile(name: string, start: number, end: number, options: FileOptions = {}): Promise<FileRange> {
    requireRange(name, start, end)
    const { commit } = this.#listing
    const path = await this.#repository.cachedFile(commit, name, options)
    if (path === undefined)
      return { path: await this.#repository.rangeFile(commit, name, start, end, options), offset: 0 }
    await requireBytes(path, start, end)
    return { path, offset: start }
  }
}
