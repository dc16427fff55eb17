import type { AbortOptions } from '../abort.ts'
import type { LoadProgress } from '../engine.ts'

export interface FileOptions extends AbortOptions {
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined
}

/**
 * The files of one model, wherever they are: a local folder, or a repository of the Hugging Face Hub (then cached).
 * Names are relative, with `/`. For a missing file, each method returns `undefined` or throws ModelUnavailableError.
 */
export interface ModelFiles {
  /** For messages: the folder or `owner/repo@revision`. */
  readonly description: string
  list(options?: AbortOptions): Promise<readonly string[]>
  /** Returns the path of the whole file on this machine; downloads and caches it first if needed. @throws ModelUnavailableError */
  path(name: string, options?: FileOptions): Promise<string>
  /** Returns the text of a small file (config.json, tokenizer.json), or undefined if there is no such file. */
  text(name: string, options?: AbortOptions): Promise<string | undefined>
  /** Returns the path of a file that `text` reads; fails as that does, and returns undefined if there is no such file. */
  textPath(name: string, options?: AbortOptions): Promise<string | undefined>
  /** Returns the length of a file in bytes, without downloading it. @throws ModelUnavailableError */
  size(name: string, options?: AbortOptions): Promise<number>
  /** Returns bytes [start, end) of a file, without downloading the rest. @throws ModelUnavailableError */
  range(name: string, start: number, end: number, options?: FileOptions): Promise<Uint8Array>
  /**
   * Returns a file on this machine that contains bytes [start, end): the file itself if it is local, else a file of only
   * these bytes, downloaded first if needed. For ranges that are too large for memory. @throws ModelUnavailableError
   */
  rangeFile(name: string, start: number, end: number, options?: FileOptions): Promise<FileRange>
}

/** A range of bytes of a local file. */
export interface FileRange {
  readonly path: string
  /** Position of the first byte in the file. */
  readonly offset: number
}
