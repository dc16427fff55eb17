import { bytesOf } from '../../tensor/tensor.ts'
import type { WeightMatrix } from '../weight-matrix.ts'
import { quantize, vectorBytes } from './quantized-vector.ts'

/** Values that are quantized at a time: this takes a few milliseconds, and the process serves other requests in between. */
const valuesAtOnce = 2 ** 18

/** The layout of the file of an 8-bit matrix; offsets in bytes. It begins with the rows, one after the other. */
export interface QuantizedLayout {
  readonly rows: number
  readonly columns: number
  readonly rowBytes: number
  /** Float32 [rows]: `unit`, ‖w - ŵ‖ and ‖ŵ‖ of each row. */
  readonly units: number
  readonly errors: number
  readonly norms: number
  readonly byteLength: number
}

export function layoutOf(rows: number, columns: number): QuantizedLayout {
  const rowBytes = vectorBytes(columns)
  const units = Math.ceil((rows * rowBytes) / 4) * 4
  const errors = units + rows * 4
  const norms = errors + rows * 4
  return { rows, columns, rowBytes, units, errors, norms, byteLength: norms + rows * 4 }
}

/** Bytes and the position to which they are written. */
export interface PlacedBytes {
  readonly bytes: Uint8Array
  readonly position: number
}

/** Numbers are rounded up, also those near zero: the bound must hold in float32, too. */
const roundedUp = (value: number): number => value * (1 + 1e-6) + 2 ** -149

/**
 * Quantizes a matrix some rows at a time. Yields what to write after them, which the next turn overwrites, and how many rows are
 * done.
 */
export function* quantizedParts(
  matrix: WeightMatrix,
  layout: QuantizedLayout,
): Generator<{ readonly writes: readonly PlacedBytes[]; readonly rowsDone: number }> {
  const { rows, columns, rowBytes } = layout
  const rowsAtOnce = Math.max(1, Math.floor(valuesAtOnce / columns))
  const units = new Float32Array(rows)
  const errors = new Float32Array(rows)
  const norms = new Float32Array(rows)
  const bytes = new Uint8Array(rowsAtOnce * rowBytes)
  for (let start = 0; start < rows; start += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, rows - start)
    const values = matrix.read(start, start + count)
    for (let index = 0; index < count; index++) {
      const row = values.subarray(index * columns, (index + 1) * columns)
      const facts = quantize(row, bytes.subarray(index * rowBytes, (index + 1) * rowBytes))
      units[start + index] = facts.unit
      errors[start + index] = roundedUp(Math.sqrt(facts.squaredError))
      norms[start + index] = roundedUp(Math.sqrt(facts.squaredNorm))
    }
    const write = { bytes: bytes.subarray(0, count * rowBytes), position: start * rowBytes }
    yield { writes: [write], rowsDone: start + count }
  }
  yield {
    writes: [
      { bytes: bytesOf(units), position: layout.units },
      { bytes: bytesOf(errors), position: layout.errors },
      { bytes: bytesOf(norms), position: layout.norms },
    ],
    rowsDone: rows,
  }
}
