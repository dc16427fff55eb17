import type { AbortOptions } from '@petals-chat/engine'
import type { FloatDtype } from '../tensor/dtype.ts'

/** The place of a tensor in a repository's files. Its values are in C order, little-endian. */
export interface TensorEntry {
  readonly file: string
  readonly dtype: FloatDtype
  readonly shape: readonly number[]
  /** The tensor has the bytes [start, end) of the file. */
  readonly start: number
  readonly end: number
}

/** Looks up a tensor of one file by its name. @throws ModelUnavailableError if it can't be used */
export type FileTensors = (name: string, options?: AbortOptions) => Promise<TensorEntry | undefined>

/** Reports whether a value from a file can be a size or an offset. */
export const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0

export const areCounts = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every(isCount)
