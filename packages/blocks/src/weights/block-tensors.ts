import { ModelUnavailableError } from '@petals-chat/engine'
import { tensorTypes } from '@petals-chat/llama/gguf'
import type { BlockShape } from '../model/block-shape.ts'
import type { TensorFormat, Wanted } from './wanted-tensors.ts'

/** A tensor in a file of the repository. */
export interface StoredTensor {
  readonly file: string
  /** The tensor has the bytes [start, end) of the file. */
  readonly start: number
  readonly end: number
  /** ggml's number of the type. */
  readonly type: number
  /** Innermost first. */
  readonly shape: readonly number[]
}

/** Finds the tensors of a model by the names that its format gives them. */
export interface TensorStore {
  readonly format: TensorFormat
  readonly description: string
  lookUp(name: string): Promise<StoredTensor | undefined>
}

/** A tensor of a block, whose bytes are the ranges one after the other. */
export interface BlockTensor {
  readonly block: number
  /** As in a GGUF file, without the block: `attn_q.weight`. */
  readonly name: string
  readonly type: number
  /** Innermost first. */
  readonly shape: readonly number[]
  readonly ranges: readonly FileSlice[]
}

export interface FileSlice {
  readonly file: string
  readonly start: number
  readonly end: number
}

/** Finds the tensors of one block. @throws ModelUnavailableError if one is missing or has the wrong shape */
export async function findBlockTensors(
  store: TensorStore,
  shape: BlockShape,
  block: number,
): Promise<readonly BlockTensor[]> {
  const found: BlockTensor[] = []
  for (const wanted of store.format(shape, block)) {
    const tensor = await findTensor(store, wanted)
    if (tensor) found.push({ ...tensor, block, name: wanted.name })
  }
  return found
}

type Placed = Pick<BlockTensor, 'type' | 'shape' | 'ranges'>

async function findTensor(store: TensorStore, wanted: Wanted): Promise<Placed | undefined> {
  for (const names of wanted.from) {
    const parts = await Promise.all(names.map((name) => store.lookUp(name)))
    if (parts.every((part) => part !== undefined)) return place(store, wanted, names, parts)
  }
  if (wanted.isOptional) return undefined
  const names = wanted.from.map(([name]) => name).join(' or ')
  throw new ModelUnavailableError(`${store.description} has no tensor named ${names}.`)
}

function place(
  store: TensorStore,
  { rows, shape: expected }: Wanted,
  names: readonly string[],
  parts: readonly StoredTensor[],
): Placed {
  const [first] = parts as readonly [StoredTensor]
  const slices = parts.flatMap((part) => (rows ? rowsOf(part, rows) : [part]))
  const shape = rows
    ? [...first.shape.slice(0, -1), rows.reduce((sum, { count }) => sum + count, 0)]
    : parts.length > 1
      ? [...first.shape, parts.length]
      : first.shape
  const isAlike = parts.every((part) => part.type === first.type && `${part.shape}` === `${first.shape}`)
  if (!isAlike || `${shape}` !== `${expected}`)
    throw new ModelUnavailableError(
      `The tensor ${names[0]} of ${store.description} can't be used: its shape is ${shape.join(' x ')}, not ${expected.join(' x ')}.`,
    )
  return { type: first.type, shape, ranges: joined(slices) }
}

/** A row is one output of a matrix, or one value of a bias. */
function rowsOf(
  tensor: StoredTensor,
  rows: readonly { readonly from: number; readonly count: number }[],
): readonly FileSlice[] {
  const rowBytes = (tensor.end - tensor.start) / tensor.shape.at(-1)!
  const { file, start } = tensor
  return rows.map(({ from, count }) => {
    const [first, end] = [start + from * rowBytes, start + (from + count) * rowBytes]
    if (end > tensor.end || !Number.isInteger(rowBytes))
      throw new ModelUnavailableError(`${file} has a fused matrix with too few rows.`)
    return { file, start: first, end }
  })
}

/** Joins slices that follow one another. */
function joined(slices: readonly FileSlice[]): readonly FileSlice[] {
  const result: FileSlice[] = []
  for (const { file, start, end } of slices) {
    const last = result.at(-1)
    if (last && last.file === file && last.end === start) result[result.length - 1] = { ...last, end }
    else result.push({ file, start, end })
  }
  return result
}

/** Bytes of a tensor of this type and shape. Rows must be whole numbers of the type's blocks. */
export function tensorBytes(type: number, shape: readonly number[]): number {
  const { blockLength, blockBytes } = tensorTypes.get(type)!
  return (shape.reduce((product, size) => product * size, 1) / blockLength) * blockBytes
}
