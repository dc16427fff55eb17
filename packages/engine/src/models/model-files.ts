import type { AbortOptions } from '../abort.ts'
import type { LoadProgress } from '../engine.ts'

export interface FileOptions extends AbortOptions {
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined
}

/**
 * The files of one model, wherever they are: a local folder, or a repository of the Hugging Face Hub (then cached).
 * Names are relative, with `/`. A file that does not exist is `undefined` or a ModelUnavailableError, as said.
 */
export interface ModelFiles {
  /** For messages: the folder or `owner/repo@revision`. */
  readonly description: string
  list(options?: AbortOptions): Promise<readonly string[]>
  /** The whole file, on this machine; fetched and cached first if need be. @throws ModelUnavailableError */
  path(name: string, options?: FileOptions): Promise<string>
  /** The text of a small file (config.json, tokenizer.json), or undefined if there is no such file. */
  text(name: string, options?: AbortOptions): Promise<string | undefined>
  /** Length of a file in bytes, without fetching it. @throws ModelUnavailableError */
  size(name: string, options?: AbortOptions): Promise<number>
  /** Bytes [start, end) of a file, without fetching the rest. @throws ModelUnavailableError */
  range(name: string, start: number, end: number, options?: FileOptions): Promise<Uint8Array>
  /**
   * A file on this machine that has bytes [start, end) of a file: the file itself where it is here, else one that was made
   * of just these bytes, fetched first if need be. For what is too large for the memory. @throws ModelUnavailableError
   */
  rangeFile(name: string, start: number, end: number, options?: FileOptions): Promise<FileRange>
}

/** Bytes of a local file. */
export interface FileRange {
  readonly path: string
  /** Of the first byte in the file. */
  readonly offset: number
}
