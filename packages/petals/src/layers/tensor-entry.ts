import type { AbortOptions } from '@petals-chat/engine'
import type { FloatDtype } from '../tensor/dtype.ts'

/** Where a tensor is in a repository's files: C order, little-endian. */
export interface TensorEntry {
  readonly file: string
  readonly dtype: FloatDtype
  readonly shape: readonly number[]
  /** Bytes [start, end) of the file. */
  readonly start: number
  readonly end: number
}

/** Looks tensors of one file up, by name. @throws ModelUnavailableError for one that can't be used */
export type FileTensors = (name: string, options?: AbortOptions) => Promise<TensorEntry | undefined>
