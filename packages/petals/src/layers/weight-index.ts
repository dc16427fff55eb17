import { ModelUnavailableError, type AbortOptions, type ModelFiles } from '@petals-chat/engine'
import { z } from 'zod'
import { readJsonFile } from './json-file.ts'
import { readPytorchFile } from './pytorch/pytorch-file.ts'
import { readSafetensors } from './safetensors.ts'
import type { FileTensors, TensorEntry } from './tensor-entry.ts'

/** Finds the file of each tensor. */
export interface WeightIndex {
  /** Returns the first of these tensors that exists. @throws ModelUnavailableError that names them */
  find(names: readonly string[], options?: AbortOptions): Promise<TensorEntry>
  /** Returns a tensor, or undefined if there is none of this name. @throws ModelUnavailableError if it can't be used */
  lookUp(name: string, options?: AbortOptions): Promise<TensorEntry | undefined>
}

/** A format in which transformers saves weights: one file, or several with an index. */
interface WeightFormat {
  readonly single: string
  readonly index: string
  readonly read: (files: ModelFiles, file: string, options: AbortOptions) => Promise<FileTensors>
}

/** The formats in the order of preference. */
const formats: readonly WeightFormat[] = [
  { single: 'model.safetensors', index: 'model.safetensors.index.json', read: readSafetensors },
  { single: 'pytorch_model.bin', index: 'pytorch_model.bin.index.json', read: readPytorchFile },
]

const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) })

/** Opens the index of a repository's weights. @throws ModelUnavailableError if it has no weights in a known format */
export async function openWeightIndex(files: ModelFiles, options: AbortOptions = {}): Promise<WeightIndex> {
  const names = new Set(await files.list(options))
  for (const format of formats) {
    const json = await readJsonFile(files, format.index, options)
    if (json !== undefined) return indexOf(files, format, parseIndex(json, format.index, files.description))
    if (names.has(format.single)) return indexOf(files, format, undefined)
  }
  const known = formats.flatMap(({ single, index }) => [single, index]).join(', ')
  throw new ModelUnavailableError(`${files.description} has no weights that can be read: none of ${known}.`)
}

function parseIndex(json: unknown, name: string, description: string): ReadonlyMap<string, string> {
  const { data } = indexSchema.safeParse(json)
  if (data) return new Map(Object.entries(data.weight_map))
  throw new ModelUnavailableError(`${name} of ${description} has no weight_map. Download the file again.`)
}

/** @param fileOf the file of each tensor; undefined if all are in the single file */
function indexOf(
  files: ModelFiles,
  format: WeightFormat,
  fileOf: ReadonlyMap<string, string> | undefined,
): WeightIndex {
  const opened = new Map<string, FileTensors>()
  const lookUp = async (name: string, options: AbortOptions): Promise<TensorEntry | undefined> => {
    const file = fileOf ? fileOf.get(name) : format.single
    if (file === undefined) return undefined
    let tensors = opened.get(file)
    if (!tensors) {
      tensors = await format.read(files, file, options)
      opened.set(file, tensors)
    }
    return tensors(name, options)
  }
  return {
    lookUp: (name, options = {}) => lookUp(name, options),
    async find(names, options = {}) {
      for (const name of names) {
        const entry = await lookUp(name, options)
        if (entry) return entry
      }
      throw new ModelUnavailableError(`${files.description} has no tensor named ${names.join(' or ')}.`)
    },
  }
}
