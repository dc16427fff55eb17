import { join } from 'node:path'
import { type FileRange, type ModelFiles, isSafePath } from '@petals-chat/engine'
import { readKnownRange, readText, requireBytes, requireRange } from '../cache/read-range.ts'
import { ModelSourceError } from '../errors.ts'
import { missingFile } from '../format.ts'
import { isFile, listFolder, sizeOf } from '../storage.ts'

/** The files of a folder of this machine. */
export class LocalModelFiles implements ModelFiles {
  readonly description: string

  constructor(folder: string) {
    this.description = folder
  }

  list(): Promise<readonly string[]> {
    return listFolder(this.description)
  }

  async path(name: string): Promise<string> {
    const path = isSafePath(name) ? join(this.description, name) : undefined
    if (path !== undefined && (await isFile(path))) return path
    throw new ModelSourceError('not-found', missingFile(this.description, name, await this.list()))
  }

  async text(name: string): Promise<string | undefined> {
    const path = await this.textPath(name)
    return path === undefined ? undefined : readText(path)
  }

  async textPath(name: string): Promise<string | undefined> {
    const path = join(this.description, name)
    return isSafePath(name) && (await isFile(path)) ? path : undefined
  }

  async size(name: string): Promise<number> {
    return sizeOf(await this.path(name))
  }

  async range(name: string, start: number, end: number): Promise<Uint8Array> {
    requireRange(name, start, end)
    return readKnownRange(await this.path(name), start, end)
  }

  async rangeFile(name: string, start: number, end: number): Promise<FileRange> {
    requireRange(name, start, end)
    const path = await this.path(name)
    await requireBytes(path, start, end)
    return { path, offset: start }
  }
}
