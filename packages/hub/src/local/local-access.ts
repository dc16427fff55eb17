import { stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { type ModelFiles, type LocalSource } from '@petals-chat/engine'
import { sha256File } from '../cache/content-hash.ts'
import { expandHome } from '../config.ts'
import { ModelSourceError } from '../errors.ts'
import { chooseGguf } from '../hub/gguf-choice.ts'
import type { ModelSourceInfo, ResolveOptions, SourceFile } from '../model-store.types.ts'
import { progressMeter } from '../progress.ts'
import type { SourceAccess } from '../source-access.ts'
import { listFolder } from '../storage.ts'
import { LocalModelFiles } from './local-model-files.ts'

/** A file or folder of this machine, which is never copied or deleted. */
export class LocalAccess implements SourceAccess {
  readonly #path: string
  readonly #text: string

  constructor(source: LocalSource, baseFolder: string, home: string) {
    this.#text = source.path
    this.#path = resolve(baseFolder, expandHome(source.path, home))
  }

  cachedFile(options: ResolveOptions): Promise<string | undefined> {
    return this.fetchFile(options)
  }

  async fetchFile({ sha256, signal, onProgress }: ResolveOptions): Promise<string> {
    const file = (await this.#find()).isDirectory() ? await this.#chooseFile() : this.#path
    if (sha256 === undefined) return file
    const { size } = await stat(file)
    const progress = progressMeter(onProgress, { phase: 'verify', label: file, total: size })
    const found = await sha256File(file, { signal, onBytes: progress.update })
    if (found === sha256) return file
    throw new ModelSourceError(
      'corrupt',
      `${file} is not the expected file: its sha256 is ${found}, not ${sha256}. It is not used.`,
    )
  }

  async openFiles(): Promise<ModelFiles> {
    if ((await this.#find()).isDirectory()) return new LocalModelFiles(this.#path)
    throw new ModelSourceError(
      'invalid',
      `${this.#path} is one file, but a folder with config.json, tokenizer and weights is needed.`,
    )
  }

  async info(): Promise<ModelSourceInfo> {
    const files = await this.#files()
    const sizeBytes = files.reduce((total, file) => total + (file.sizeBytes ?? 0), 0)
    return { source: this.#text, type: 'local', files, sizeBytes, cachedBytes: sizeBytes }
  }

  async remove(): Promise<never> {
    throw new ModelSourceError(
      'invalid',
      `${this.#path} is your own path, not in the cache: delete it yourself.`,
    )
  }

  async #files(): Promise<readonly SourceFile[]> {
    const isFolder = (await this.#find()).isDirectory()
    const names = isFolder ? await listFolder(this.#path) : [basename(this.#path)]
    const folder = isFolder ? this.#path : dirname(this.#path)
    return Promise.all(
      names.map(async (name) => {
        const path = join(folder, name)
        return { name, path, sizeBytes: (await stat(path)).size }
      }),
    )
  }

  async #chooseFile(): Promise<string> {
    const [first = ''] = chooseGguf(await listFolder(this.#path), undefined, this.#path)
    return join(this.#path, first)
  }

  async #find(): Promise<Awaited<ReturnType<typeof stat>>> {
    try {
      return await stat(this.#path)
    } catch (error) {
      throw this.#missing(error as NodeJS.ErrnoException)
    }
  }

  #missing(cause: NodeJS.ErrnoException): ModelSourceError {
    const { code } = cause
    if (code !== 'ENOENT' && code !== 'ENOTDIR') {
      return new ModelSourceError('storage', `${this.#path} can't be read (${code}).`, { cause })
    }
    const isLikeRepo = /^[\w.-]+\/[\w.-]+$/.test(this.#text) && !this.#text.startsWith('.')
    const hint = isLikeRepo
      ? ` If you mean the repository on the Hugging Face Hub, write hf:${this.#text}.`
      : ''
    return new ModelSourceError('not-found', `There is no file or folder ${this.#path}.${hint}`, { cause })
  }
}
