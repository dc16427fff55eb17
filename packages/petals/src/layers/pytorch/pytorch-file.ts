import { ModelUnavailableError, type AbortOptions, type ModelFiles } from '@petals-chat/engine'
import { dtypeSize } from '../../tensor/dtype.ts'
import type { FileTensors, TensorEntry } from '../tensor-entry.ts'
import { PickleError } from './pickle.ts'
import { readStateDict, type StoredView } from './state-dict.ts'
import { dataOffset, readZipDirectory, ZipError, type ReadBytes, type ZipEntry } from './zip-directory.ts'

/** The pickle of a state dictionary has about 200 bytes for each tensor. */
const maxPickleBytes = 64 * 2 ** 20

/** The advice for a file that can't be read. */
const remedy =
  'Use a repository or revision with safetensors files, or convert it with transformers (save_pretrained)'

/**
 * Reads the tensors of one file of `torch.save`, by name: a ZIP archive with a pickle, `data.pkl`, and one plain array for
 * each storage. The interpreter of the pickle knows tensors and dictionaries, and runs no code. Only the arrays that are
 * looked up are downloaded.
 */
export async function readPytorchFile(
  files: ModelFiles,
  file: string,
  options: AbortOptions,
): Promise<FileTensors> {
  const refuse = (why: string, cause?: unknown): never => {
    throw new ModelUnavailableError(`${file} of ${files.description} can't be used: ${why}. ${remedy}.`, {
      cause,
    })
  }
  const readAs =
    (signal: AbortOptions): ReadBytes =>
    (start, end) =>
      files.range(file, start, end, signal)
  /** Turns faults of the file into a ModelUnavailableError. */
  const guarded = async <T>(task: () => Promise<T>): Promise<T> => {
    try {
      return await task()
    } catch (error) {
      if (error instanceof ZipError || error instanceof PickleError) return refuse(error.message, error)
      throw error
    }
  }
  return guarded(async () => {
    const read = readAs(options)
    const entries = await readZipDirectory(read, await files.size(file, options))
    const pickle = [...entries.values()].find(({ name }) => name.endsWith('/data.pkl'))
    if (!pickle) return refuse('it is not an archive of torch.save')
    const folder = pickle.name.slice(0, -'data.pkl'.length)
    await requireLittleEndian(read, entries.get(`${folder}byteorder`))
    const tensors = readStateDict(await readEntry(read, pickle))
    return (name, lookUpOptions = {}) => {
      const view = tensors.get(name)
      if (!view) return Promise.resolve(undefined)
      const entry = entries.get(`${folder}data/${view.key}`)
      return guarded(() => placeOf(readAs(lookUpOptions), file, name, view, entry))
    }
  })
}

async function placeOf(
  read: ReadBytes,
  file: string,
  name: string,
  view: StoredView,
  entry: ZipEntry | undefined,
): Promise<TensorEntry> {
  const { dtype, shape, offset, isContiguous } = view
  if (dtype === undefined) throw new PickleError(`the tensor '${name}' does not have a floating-point type`)
  if (!isContiguous) throw new PickleError(`the tensor '${name}' is not stored row by row`)
  if (!entry || entry.isCompressed) throw new ZipError(`the data of the tensor '${name}' is missing`)
  const bytesBefore = offset * dtypeSize(dtype)
  const byteLength = shape.reduce((product, size) => product * size, dtypeSize(dtype))
  if (bytesBefore + byteLength > entry.byteLength)
    throw new ZipError(`the data of the tensor '${name}' is truncated`)
  const start = (await dataOffset(read, entry)) + bytesBefore
  return { file, dtype, shape, start, end: start + byteLength }
}

async function readEntry(read: ReadBytes, entry: ZipEntry): Promise<Uint8Array> {
  if (entry.isCompressed || entry.byteLength > maxPickleBytes || entry.byteLength === 0) {
    throw new ZipError(`its entry '${entry.name}' is not as torch.save writes it`)
  }
  const start = await dataOffset(read, entry)
  return read(start, start + entry.byteLength)
}

/** Newer files name their byte order. Files without it are taken for little-endian: big-endian machines are rare. */
async function requireLittleEndian(read: ReadBytes, entry: ZipEntry | undefined): Promise<void> {
  if (!entry) return
  const order = new TextDecoder().decode(await readEntry(read, entry))
  if (order !== 'little') throw new ZipError(`its numbers are in the byte order '${order}'`)
}
