import { ModelUnavailableError, type AbortOptions, type ModelFiles } from '@petals-chat/engine'
import { dtypeSize, type FloatDtype } from '../tensor/dtype.ts'
import { parseJson } from './json-file.ts'
import { areCounts, type FileTensors, type TensorEntry } from './tensor-entry.ts'

/** The names of weight types in the safetensors format (huggingface/safetensors). */
const dtypes: ReadonlyMap<string, FloatDtype> = new Map([
  ['F32', 'float32'],
  ['F16', 'float16'],
  ['BF16', 'bfloat16'],
])

/** The format allows 100 MB, which would take a gigabyte of memory as objects. A header has about 120 bytes for each tensor. */
const maxHeaderBytes = 32 * 2 ** 20

interface HeaderEntry {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly data_offsets: readonly [number, number]
}

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
  if (!isHeaderEntry(entry)) return refuse('its header is malformed. Download the file again')
  const dtype = dtypes.get(entry.dtype)
  if (dtype === undefined) {
    return refuse(
      `its type ${entry.dtype} is not one of ${[...dtypes.keys()].join(', ')}. Use the unquantized weights of the model`,
    )
  }
  const [start, end] = entry.data_offsets
  const bytes = entry.shape.reduce((product, size) => product * size, dtypeSize(dtype))
  if (end - start !== bytes) return refuse(`it has ${end - start} bytes, but its shape needs ${bytes}`)
  return { file, dtype, shape: entry.shape, start: dataStart + start, end: dataStart + end }
}

/**
 * Reads the tensors of one file, by name. Reads only the header: 8 bytes of length (little-endian), then JSON. A tensor of an
 * unsupported type is an error only when it is looked up: quantized checkpoints contain many of them.
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
  const tensors = parseHeader(new TextDecoder().decode(bytes), file, files.description, 8 + length)
  return async (name) => tensors.get(name)?.()
}

/**
 * Parses the JSON of a header. A tensor is checked when its function is called.
 * @param dataStart where the tensors begin, in bytes from the start of the file
 * @throws ModelUnavailableError
 */
export function parseHeader(
  text: string,
  file: string,
  description: string,
  dataStart: number,
): ReadonlyMap<string, () => TensorEntry> {
  const header = parseJson(text, `The header of ${file} of ${description}`)
  const entries = Object.entries(header ?? {}).filter(([name]) => name !== '__metadata__')
  return new Map(entries.map(([name, entry]) => [name, () => entryOf(file, name, entry, dataStart)] as const))
}
