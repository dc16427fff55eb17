import { createHash } from 'node:crypto'
import { readdir, rm, stat, utimes } from 'node:fs/promises'
import path from 'node:path'
import { removeFiles, sizeOf } from './storage.ts'

/** A file that was not used for this long is removed when another one is created. Creating it again takes seconds. */
const unusedMs = 30 * 24 * 60 * 60 * 1000

/** What a file is derived from: a file, or a part of it. */
export interface Original {
  readonly path: string
  /** Tells the part. */
  readonly part?: readonly unknown[]
}

/** The name of a derived file. */
export interface DerivedName {
  /** The part of the name that tells its original. */
  readonly prefix: string
  readonly file: string
}

/** Files that were removed. */
export interface RemovedFiles {
  readonly paths: readonly string[]
  readonly freedBytes: number
}

const digest = (facts: unknown): string =>
  createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 16)

/**
 * Files of the cache that are derived from files of models, and kept between starts. Their names tell their originals:
 * `KIND-PLACE-CONTENT.bin`, the place of the original, and the content that this place has now.
 */
export class DerivedFiles {
  readonly #kind: string
  readonly #version: number

  /** @param version - of their format, so that a change of it creates new files */
  constructor(kind: string, version: number) {
    this.#kind = `${kind}-`
    this.#version = version
  }

  /** @param facts what else the content depends on */
  async nameOf(original: Original, facts: readonly unknown[] = []): Promise<DerivedName> {
    const { size, mtimeMs } = await stat(original.path)
    const prefix = this.#prefixOf(original)
    return { prefix, file: `${prefix}${digest([size, mtimeMs, ...facts, this.#version])}.bin` }
  }

  /** Removes files of earlier content of the same place, and those that have not been used for long. */
  async removeUseless(folder: string, { prefix, file }: DerivedName): Promise<void> {
    const isUseless = (name: string, ageMs: number): boolean =>
      name.startsWith(prefix) || (name.startsWith(this.#kind) && ageMs > unusedMs)
    await removeFiles(
      folder,
      (name, ageMs) => name !== file && name.endsWith('.bin') && isUseless(name, ageMs),
    )
  }

  /** Removes all files of `folder` that were derived from this original. */
  async removeOf(original: Original, folder: string): Promise<RemovedFiles> {
    const prefix = this.#prefixOf(original)
    const names = await readdir(folder).catch((): string[] => [])
    const kept = names.filter((name) => name.startsWith(prefix) && name.endsWith('.bin'))
    const paths = kept.map((name) => path.join(folder, name))
    const sizes = await Promise.all(paths.map((each) => sizeOf(each)))
    await Promise.all(paths.map((each) => rm(each, { force: true })))
    return { paths, freedBytes: sizes.reduce<number>((sum, size = 0) => sum + size, 0) }
  }

  async markUsed(file: string): Promise<void> {
    const now = new Date()
    // If this is not permitted, no file of the folder can be removed either.
    await utimes(file, now, now).catch(() => {})
  }

  #prefixOf({ path: file, part = [] }: Original): string {
    return `${this.#kind}${digest([path.resolve(file), ...part])}-`
  }
}
