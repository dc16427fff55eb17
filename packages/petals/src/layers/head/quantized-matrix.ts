import { bytesOf } from '../../tensor/tensor.ts'
import { matMulNBitsModel } from './onnx-model.ts'
import { largest, type SplitShape } from './split-input.ts'
import type { WeightMatrix } from '../weight-matrix.ts'

/**
 * Returns the number of columns that share a scale. Smaller blocks have smaller errors, but take more bytes and more time in
 * onnxruntime's kernel: of 32, 64 and 128 none is best in both. The bytes decide for wide rows, which take large blocks;
 * narrow rows would need padding.
 */
const blockSizeOf = (columns: number): number => (columns >= 2048 && columns % 128 === 0 ? 128 : 64)

/** Values that are quantized at a time: this takes a few milliseconds, and the process serves other requests in between. */
const valuesAtOnce = 2 ** 18

/** A part of the data file: what onnxruntime reads (values and scales), and the norms for the bound. */
interface QuantizedRows {
  readonly values: Uint8Array
  readonly scales: Float32Array
  readonly errors: Float32Array
  readonly norms: Float32Array
}

/** The layout of the file of an 8-bit matrix; offsets in bytes. */
export interface QuantizedLayout extends SplitShape {
  readonly rows: number
  readonly scales: number
  readonly errors: number
  readonly norms: number
  readonly byteLength: number
}

/** onnxruntime maps external data only at multiples of the page size or allocation granularity. */
const aligned = (offset: number): number => Math.ceil(offset / 65536) * 65536

export function layoutOf(rows: number, columns: number): QuantizedLayout {
  const blockSize = blockSizeOf(columns)
  const blocks = Math.ceil(columns / blockSize)
  const paddedColumns = blocks * blockSize
  const scales = aligned(rows * paddedColumns)
  const errors = aligned(scales + rows * blocks * 4)
  const norms = aligned(errors + rows * 4)
  return { rows, columns, paddedColumns, blockSize, scales, errors, norms, byteLength: norms + rows * 4 }
}

/** Returns the ONNX model over a file of this layout. */
export function quantizedModel(layout: QuantizedLayout, dataFile: string): Uint8Array {
  const { rows, paddedColumns, blockSize } = layout
  const blocks = paddedColumns / blockSize
  return matMulNBitsModel(
    { rows, columns: paddedColumns, blockSize },
    {
      name: 'weights',
      type: 'uint8',
      shape: [rows, blocks, blockSize],
      offset: 0,
      length: rows * paddedColumns,
    },
    {
      name: 'scales',
      type: 'float',
      shape: [rows * blocks],
      offset: layout.scales,
      length: rows * blocks * 4,
    },
    dataFile,
  )
}

/** The code of 0 in MatMulNBits' symmetric 8 bits. */
const zero = 128

/** Returns the codes and scales of rows, and their errors and norms. Zeros fill the last block. */
function quantizeRows(rows: Float32Array, { columns, paddedColumns, blockSize }: SplitShape): QuantizedRows {
  const count = rows.length / columns
  const blocks = paddedColumns / blockSize
  const result = {
    values: new Uint8Array(count * paddedColumns).fill(zero),
    scales: new Float32Array(count * blocks),
    errors: new Float32Array(count),
    norms: new Float32Array(count),
  }
  for (let row = 0; row < count; row++) {
    let error = 0
    let norm = 0
    for (let block = 0; block < blocks; block++) {
      const start = row * columns + block * blockSize
      const end = Math.min(start + blockSize, (row + 1) * columns)
      const target = row * paddedColumns + block * blockSize - start
      const scale = Math.fround(largest(rows, start, end) / 127)
      result.scales[row * blocks + block] = scale
      const inverse = scale === 0 ? 0 : 1 / scale
      for (let i = start; i < end; i++) {
        // Rounds half up, since all numbers are positive. The clamp is for scales near zero, which can be far from their block.
        const code = Math.max(0, Math.min(255, (rows[i]! * inverse + zero + 0.5) | 0))
        const restored = (code - zero) * scale
        const difference = rows[i]! - restored
        result.values[target + i] = code
        error += difference * difference
        norm += restored * restored
      }
    }
    // Rounded up: the bound must hold in float32, too.
    result.errors[row] = Math.sqrt(error) * (1 + 1e-6)
    result.norms[row] = Math.sqrt(norm) * (1 + 1e-6)
  }
  return result
}

/** Bytes and the position to which they are written. */
export interface PlacedBytes {
  readonly bytes: Uint8Array
  readonly position: number
}

/** Quantizes a matrix part by part. Yields what to write after each part, and how many rows are done. */
export function* quantizedParts(
  matrix: WeightMatrix,
  layout: QuantizedLayout,
): Generator<{ readonly writes: readonly PlacedBytes[]; readonly rowsDone: number }> {
  const { columns, paddedColumns, blockSize } = layout
  const rowsAtOnce = Math.max(1, Math.floor(valuesAtOnce / columns))
  for (let start = 0; start < matrix.rows; start += rowsAtOnce) {
    const end = Math.min(start + rowsAtOnce, matrix.rows)
    const { values, scales, errors, norms } = quantizeRows(matrix.read(start, end), layout)
    yield {
      writes: [
        { bytes: values, position: start * paddedColumns },
        { bytes: bytesOf(scales), position: layout.scales + start * (paddedColumns / blockSize) * 4 },
        { bytes: bytesOf(errors), position: layout.errors + start * 4 },
        { bytes: bytesOf(norms), position: layout.norms + start * 4 },
      ],
      rowsDone: end,
    }
  }
}
