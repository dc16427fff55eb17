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
  /** Where the whole file is on this machine, if it is here already; never fetches. */
  localPath?(name: string): Promise<string | undefined>
  /** The text of a small file (config.json, tokenizer.json), or undefined if there is no such file. */
  text(name: string, options?: AbortOptions): Promise<string | undefined>
  /** Bytes [start, end) of a file, without fetching the rest. @throws ModelUnavailableError */
  range(name: string, start: number, end: number, options?: FileOptions): Promise<Uint8Array>
}
