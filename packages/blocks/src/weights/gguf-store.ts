import { ModelUnavailableError, type AbortOptions, type ModelFiles } from '@petals-chat/engine'
import {
  GgufFormatError,
  MoreBytesNeeded,
  parseGgufHeader,
  tensorTypes,
  type GgufHeader,
} from '@petals-chat/llama/gguf'
import type { StoredTensor, TensorStore } from './block-tensors.ts'
import { ggufTensors } from './wanted-tensors.ts'

/** Contains the header of most models. */
const firstReadBytes = 4 * 2 ** 20
/** Real headers are shorter; a file that claims a longer one is not read into memory. */
const maxHeaderBytes = 128 * 2 ** 20

export interface GgufStore extends TensorStore {
  readonly metadata: GgufHeader['metadata']
}

/**
 * Opens a GGUF model by its headers; downloads no weights.
 * @param name the file, or the first of several (`…-00001-of-00003.gguf`)
 * @throws ModelUnavailableError that names the field at fault
 */
export async function openGgufStore(
  files: ModelFiles,
  name: string,
  options: AbortOptions,
): Promise<GgufStore> {
  const headers = await Promise.all(
    partsOf(name).map(async (part) => ({ part, header: await readHeader(files, part, options) })),
  )
  const tensors = new Map(headers.flatMap(({ part, header }) => tensorsOf(part, header)))
  return {
    format: ggufTensors,
    description: `${name} of ${files.description}`,
    metadata: headers[0]!.header.metadata,
    lookUp: (tensor) => Promise.resolve(tensors.get(tensor)),
  }
}

function tensorsOf(file: string, header: GgufHeader): readonly (readonly [string, StoredTensor])[] {
  return header.tensors.map((tensor) => {
    const start = header.dataOffset + tensor.offset
    const stored = {
      file,
      start,
      end: start + tensor.byteLength,
      type: numberOf.get(tensor.type.name)!,
      shape: tensor.shape,
    }
    return [tensor.name, stored]
  })
}

const numberOf = new Map([...tensorTypes].map(([number, { name }]) => [name, number]))

/** Returns the names of all files of a model in several files. */
export function partsOf(name: string): readonly string[] {
  const [, stem, count] = /^(.*)-00001-of-(\d{5})\.gguf$/.exec(name) ?? []
  if (stem === undefined) return [name]
  return Array.from(
    { length: Number(count) },
    (_, index) => `${stem}-${String(index + 1).padStart(5, '0')}-of-${count}.gguf`,
  )
}

async function readHeader(files: ModelFiles, name: string, options: AbortOptions): Promise<GgufHeader> {
  const fileSize = await files.size(name, options)
  for (let wanted = firstReadBytes; ;) {
    const length = Math.min(wanted, fileSize)
    try {
      return parseGgufHeader(await files.range(name, 0, length, options), fileSize)
    } catch (error) {
      if (error instanceof GgufFormatError) throw unusable(files, name, error)
      if (!(error instanceof MoreBytesNeeded) || length === fileSize) throw error
      if (error.length > maxHeaderBytes) throw unusable(files, name, new Error('its header is too long'))
      wanted = Math.min(Math.max(error.length, length * 4), maxHeaderBytes)
    }
  }
}

const unusable = (files: ModelFiles, name: string, cause: Error): ModelUnavailableError =>
  new ModelUnavailableError(
    `${name} of ${files.description} can't be used: ${cause.message}. Download it again, or use another file.`,
    { cause },
  )
