import { ModelUnavailableError, type AbortOptions, type ModelFiles } from '@petals-chat/engine'
import { dtypeSize, type FloatDtype } from '../tensor/dtype.ts'
import { parseJson } from './json-file.ts'
import type { FileTensors, TensorEntry } from './tensor-entry.ts'

/** safetensors' names of the types that weights have (huggingface/safetensors, format). */
const dtypes: ReadonlyMap<string, FloatDtype> = new Map([
  ['F32', 'float32'],
  ['F16', 'float16'],
  ['BF16', 'bfloat16'],
])

/** The format's own limit on its header. */
const maxHeaderBytes = 100_000_000

interface HeaderEntry {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly data_offsets: readonly [number, number]
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

const areCounts = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every(isCount)

function isHeaderEntry(value: unknown): value is HeaderEntry {
  const entry = value as Partial<HeaderEntry> | null
  return (
    typeof entry?.dtype === 'string' &&
    areCounts(entry.shape) &&
    areCounts(entry.data_offsets) &&
    entry.data_offsets.length === 2
  )
}

function entryOf(file: string, name: string, entry: unknown, dataStart: number): TensorEntry {
  const refuse = (why: string): never => {
    throw new ModelUnavailableError(`The tensor '${name}' in ${file} can't be used: ${why}.`)
  }
  if (!isHeaderEntry(entry)) return refuse('its header is malformed. Fetch the file again')
  const dtype = dtypes.get(entry.dtype)
  if (dtype === undefined) {
    return refuse(
      `its type ${entry.dtype} is not one of ${[...dtypes.keys()].join(', ')}. Use the unquantised weights of the model`,
    )
  }
  const [start, end] = entry.data_offsets
  const bytes = entry.shape.reduce((product, size) => product * size, dtypeSize(dtype))
  if (end - start !== bytes) return refuse(`it takes ${end - start} bytes where its shape needs ${bytes}`)
  return { file, dtype, shape: entry.shape, start: dataStart + start, end: dataStart + end }
}

/**
 * The tensors of one file, by name. Reads the header only: 8 bytes of length (little-endian), then JSON. A tensor that is
 * not understood is an error when it is asked for, not before: quantised checkpoints hold many of other types.
 */
export async function readSafetensors(
  files: ModelFiles,
  file: string,
  options: AbortOptions,
): Promise<FileTensors> {
  const lengthBytes = await files.range(file, 0, 8, options)
  const length = Number(new DataView(lengthBytes.buffer, lengthBytes.byteOffset, 8).getBigUint64(0, true))
  if (length < 2 || length > maxHeaderBytes) {
    throw new ModelUnavailableError(`${file} of ${files.description} is not a safetensors file.`)
  }
  const bytes = await files.range(file, 8, 8 + length, options)
  const header = parseJson(new TextDecoder().decode(bytes), `The header of ${file} of ${files.description}`)
  const entries = new Map(Object.entries(header ?? {}))
  entries.delete('__metadata__')
  return async (name) => (entries.has(name) ? entryOf(file, name, entries.get(name), 8 + length) : undefined)
}
