import { randomUUID } from 'node:crypto'
import { mkdir, open, readFile, rename, writeFile, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { bytesOf } from '../tensor/tensor.ts'
import { matMulNBitsModel, type ExternalTensor } from './onnx-model.ts'
import type { WeightMatrix } from './weight-matrix.ts'

/** Rows that are quantised at a time: bounds the memory of the first start (8192 columns: 64 MiB). */
const rowsAtOnce = 2048

/** Part of the file names: a change of the format makes new files. */
const formatVersion = 1

/**
 * Columns that share a scale. Smaller blocks err less and cost more scales (4 bytes each); 32 is the smallest that
 * onnxruntime's fast kernels take.
 */
const blockSizes = [32, 16] as const

/** A matrix in 8 bits, as files that onnxruntime loads, and how far each row is from the original. */
export interface QuantizedMatrix {
  readonly modelPath: string
  readonly blockSize: number
  /** ‖w - ŵ‖ of each row: with Cauchy-Schwarz, how much of a logit the quantisation of the weights can hide. */
  readonly rowErrors: Float32Array
  /** ‖ŵ‖ of each row. */
  readonly rowNorms: Float32Array
}

function chooseBlockSize(columns: number): number {
  const size = blockSizes.find((each) => columns % each === 0)
  if (size !== undefined) return size
  throw new RangeError(
    `A hidden size of ${columns} can't be split into blocks of ${blockSizes.join(' or ')}.`,
  )
}

interface QuantizedRows {
  readonly values: Uint8Array
  readonly scales: Float32Array
  readonly errors: Float32Array
  readonly norms: Float32Array
}

/** Symmetric 8 bits with the zero at 128, as MatMulNBits reads them. */
function quantizeRows(rows: Float32Array, columns: number, blockSize: number): QuantizedRows {
  const count = rows.length / columns
  const blocks = columns / blockSize
  const result = {
    values: new Uint8Array(rows.length),
    scales: new Float32Array(count * blocks),
    errors: new Float32Array(count),
    norms: new Float32Array(count),
  }
  for (let row = 0; row < count; row++) {
    let error = 0
    let norm = 0
    for (let block = 0; block < blocks; block++) {
      const start = row * columns + block * blockSize
      let largest = 0
      for (let i = start; i < start + blockSize; i++) largest = Math.max(largest, Math.abs(rows[i]!))
      const index = row * blocks + block
      result.scales[index] = largest / 127
      const scale = result.scales[index]!
      const inverse = scale === 0 ? 0 : 1 / scale
      for (let i = start; i < start + blockSize; i++) {
        const level = Math.max(-128, Math.min(127, Math.round(rows[i]! * inverse)))
        const restored = level * scale
        result.values[i] = level + 128
        error += (rows[i]! - restored) ** 2
        norm += restored ** 2
      }
    }
    // Rounded up: the bound must hold in float32 too.
    result.errors[row] = Math.sqrt(error) * (1 + 1e-6)
    result.norms[row] = Math.sqrt(norm) * (1 + 1e-6)
  }
  return result
}

/** Writes the data file: values, scales, then errors and norms (which onnxruntime does not read). */
async function writeData(file: FileHandle, matrix: WeightMatrix, layout: Layout): Promise<void> {
  const { columns, blockSize } = layout
  for (let start = 0; start < matrix.rows; start += rowsAtOnce) {
    const rows = matrix.read(start, Math.min(start + rowsAtOnce, matrix.rows))
    const part = quantizeRows(rows, columns, blockSize)
    const write = (bytes: Uint8Array, position: number): Promise<unknown> =>
      file.write(bytes, 0, bytes.length, position)
    await write(part.values, start * columns)
    await write(bytesOf(part.scales), layout.scales + start * (columns / blockSize) * 4)
    await write(bytesOf(part.errors), layout.errors + start * 4)
    await write(bytesOf(part.norms), layout.norms + start * 4)
  }
}

interface Layout {
  readonly rows: number
  readonly columns: number
  readonly blockSize: number
  /** Offsets in bytes. */
  readonly scales: number
  readonly errors: number
  readonly norms: number
  readonly end: number
}

/** onnxruntime maps external data where its offset is a multiple of the page or allocation granularity. */
const aligned = (offset: number): number => Math.ceil(offset / 65536) * 65536

function layoutOf(rows: number, columns: number): Layout {
  const blockSize = chooseBlockSize(columns)
  const scales = aligned(rows * columns)
  const errors = aligned(scales + ((rows * columns) / blockSize) * 4)
  const norms = aligned(errors + rows * 4)
  return { rows, columns, blockSize, scales, errors, norms, end: norms + rows * 4 }
}

function onnxBytes(layout: Layout, dataFile: string): Uint8Array {
  const { rows, columns, blockSize } = layout
  const blocks = columns / blockSize
  const weights: ExternalTensor = {
    name: 'weights',
    type: 'uint8',
    shape: [rows, blocks, blockSize],
    offset: 0,
    length: rows * columns,
  }
  const scales: ExternalTensor = {
    name: 'scales',
    type: 'float',
    shape: [rows * blocks],
    offset: layout.scales,
    length: rows * blocks * 4,
  }
  return matMulNBitsModel({ rows, columns, blockSize }, weights, scales, dataFile)
}

async function readFloats(dataPath: string, offset: number, count: number): Promise<Float32Array> {
  const file = await open(dataPath, 'r')
  try {
    const values = new Float32Array(count)
    await file.read(bytesOf(values), 0, count * 4, offset)
    return values
  } finally {
    await file.close()
  }
}

/**
 * The matrix in 8 bits, made once and kept in `folder` under a name that `key` (a digest of the weights' source)
 * identifies. Nothing half-written is used: files are renamed into place when they are whole.
 */
export async function quantizeMatrix(
  matrix: WeightMatrix,
  folder: string,
  key: string,
): Promise<QuantizedMatrix> {
  const layout = layoutOf(matrix.rows, matrix.columns)
  const name = `lm-head-${key}-v${formatVersion}`
  const modelPath = path.join(folder, `${name}.onnx`)
  const dataPath = path.join(folder, `${name}.bin`)
  const made = await readFile(modelPath).catch(() => undefined)
  if (!made) {
    await mkdir(folder, { recursive: true })
    const scratch = path.join(folder, `.${name}-${randomUUID()}`)
    const file = await open(scratch, 'wx')
    try {
      await file.truncate(layout.end)
      await writeData(file, matrix, layout)
    } finally {
      await file.close()
    }
    await rename(scratch, dataPath)
    await writeFile(`${scratch}.onnx`, onnxBytes(layout, path.basename(dataPath)))
    await rename(`${scratch}.onnx`, modelPath)
  }
  return {
    modelPath,
    blockSize: layout.blockSize,
    rowErrors: await readFloats(dataPath, layout.errors, layout.rows),
    rowNorms: await readFloats(dataPath, layout.norms, layout.rows),
  }
}
