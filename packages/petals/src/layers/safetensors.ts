import { ModelUnavailableError, type AbortOptions, type ModelFiles } from '@petals-chat/engine'
import { dtypeSize, type FloatDtype } from '../tensor/dtype.ts'

/** Where a tensor is in a repository's files. */
export interface TensorEntry {
  readonly file: string
  readonly dtype: FloatDtype
  readonly shape: readonly number[]
  /** Bytes [start, end) of the file. */
  readonly start: number
  readonly end: number
}

/** safetensors' names of the types that weights have (huggingface/safetensors, format). */
const dtypes: Readonly<Record<string, FloatDtype>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' }

/** The format's own limit on its header. */
const maxHeaderBytes = 100_000_000

interface HeaderEntry {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly data_offsets: readonly [number, number]
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

function isHeaderEntry(value: unknown): value is HeaderEntry {
  const entry = value as Partial<HeaderEntry> | null
  return (
    typeof entry?.dtype === 'string' &&
    Array.isArray(entry.shape) &&
    entry.shape.every(isCount) &&
    Array.isArray(entry.data_offsets) &&
    entry.data_offsets.length === 2 &&
    entry.data_offsets.every(isCount)
  )
}

function parseEntry(file: string, name: string, entry: unknown, dataStart: number): TensorEntry {
  const refuse = (why: string): never => {
    throw new ModelUnavailableError(
      `The tensor '${name}' in ${file} can't be used: ${why}. Fetch the file again.`,
    )
  }
  if (!isHeaderEntry(entry)) return refuse('its header is malformed')
  const dtype = dtypes[entry.dtype]
  if (dtype === undefined) {
    return refuse(`its type ${entry.dtype} is not one of ${Object.keys(dtypes).join(', ')}`)
  }
  const [start, end] = entry.data_offsets
  const bytes = entry.shape.reduce((product, size) => product * size, dtypeSize(dtype))
  if (end - start !== bytes) return refuse(`it takes ${end - start} bytes where its shape needs ${bytes}`)
  return { file, dtype, shape: entry.shape, start: dataStart + start, end: dataStart + end }
}

/** The header of one file: 8 bytes of length (little-endian), then JSON. Reads nothing else. */
async function readHeader(
  files: ModelFiles,
  file: string,
  options: AbortOptions,
): Promise<Map<string, TensorEntry>> {
  const lengthBytes = await files.range(file, 0, 8, options)
  const length = Number(new DataView(lengthBytes.buffer, lengthBytes.byteOffset, 8).getBigUint64(0, true))
  if (length > maxHeaderBytes) {
    throw new ModelUnavailableError(`${file} in ${files.description} is not a safetensors file.`)
  }
  const bytes = await files.range(file, 8, 8 + length, options)
  const header = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>
  const entries = new Map<string, TensorEntry>()
  for (const [name, entry] of Object.entries(header)) {
    if (name !== '__metadata__') entries.set(name, parseEntry(file, name, entry, 8 + length))
  }
  return entries
}

/** Which file holds which tensor: from the index of a sharded model, or the one file. */
export interface WeightIndex {
  /** The first of these names that exists. @throws ModelUnavailableError that names them. */
  find(names: readonly string[], options?: AbortOptions): Promise<TensorEntry>
  has(names: readonly string[], options?: AbortOptions): Promise<boolean>
}

const singleFile = 'model.safetensors'
const indexFile = 'model.safetensors.index.json'

async function fileOfEachTensor(
  files: ModelFiles,
  options: AbortOptions,
): Promise<(name: string) => string | undefined> {
  const text = await files.text(indexFile, options)
  if (text !== undefined) {
    const { weight_map: weightMap } = JSON.parse(text) as { weight_map?: Record<string, string> }
    const map = new Map(Object.entries(weightMap ?? {}))
    return (name) => map.get(name)
  }
  const names = await files.list(options)
  if (names.includes(singleFile)) return () => singleFile
  const hasPickles = names.some((name) => /^pytorch_model.*\.bin$/.test(name))
  throw new ModelUnavailableError(
    hasPickles
      ? `${files.description} has its weights only as PyTorch pickles (.bin), which can run code when they are read. ` +
          'Use a repository or revision with safetensors files, or convert them with the safetensors tools of the Hub.'
      : `${files.description} has no safetensors weights (${singleFile} or ${indexFile}).`,
  )
}

export async function openWeightIndex(files: ModelFiles, options: AbortOptions = {}): Promise<WeightIndex> {
  const fileOf = await fileOfEachTensor(files, options)
  const headers = new Map<string, Promise<Map<string, TensorEntry>>>()
  const lookUp = async (name: string, lookUpOptions: AbortOptions): Promise<TensorEntry | undefined> => {
    const file = fileOf(name)
    if (file === undefined) return undefined
    let header = headers.get(file)
    if (!header) {
      header = readHeader(files, file, lookUpOptions)
      headers.set(file, header)
    }
    return (await header).get(name)
  }
  const search = async (
    names: readonly string[],
    searchOptions: AbortOptions = {},
  ): Promise<TensorEntry | undefined> => {
    for (const name of names) {
      const entry = await lookUp(name, searchOptions)
      if (entry) return entry
    }
    return undefined
  }
  return {
    has: async (names, findOptions) => (await search(names, findOptions)) !== undefined,
    async find(names, findOptions) {
      const entry = await search(names, findOptions)
      if (entry) return entry
      throw new ModelUnavailableError(`${files.description} has no tensor named ${names.join(' or ')}.`)
    },
  }
}
