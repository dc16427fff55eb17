import { bytesOf } from '../../tensor/tensor.ts'
import { matMulIntegerModel } from './onnx-model.ts'
import { largest } from './split-input.ts'
import type { WeightMatrix } from '../weight-matrix.ts'

/** Values that are quantized at a time: this takes a few milliseconds, and the process serves other requests in between. */
const valuesAtOnce = 2 ** 18

/**
 * Columns that share a scale, at most. Fewer have smaller errors; but the kernel sums integers within them, and each part more
 * is a number more to read for every position and row.
 */
const mostPartColumns = 1024

/** Bytes of a band of rows, about. It is turned in memory before it is written. Threads wait for each other after each tile. */
const bandBytes = 64 * 2 ** 20

/** Codes are -127 … 127 times the scale of their row and part. */
const largestCode = 127

/** The layout of the file of an 8-bit matrix; offsets in bytes. It begins with the tiles. */
export interface QuantizedLayout {
  readonly rows: number
  readonly columns: number
  /** Columns of each part but the last. */
  readonly partColumns: number
  /** Rows of each band but the last. */
  readonly bandRows: number
  /** Float32 [parts, rows] */
  readonly scales: number
  readonly errors: number
  readonly norms: number
  readonly byteLength: number
}

/** A part of the columns of a band of rows: its codes [columns, rows], as onnxruntime multiplies them. */
export interface QuantizedTile {
  /** Index of the part. */
  readonly part: number
  readonly firstColumn: number
  readonly columns: number
  readonly firstRow: number
  readonly rows: number
  readonly offset: number
}

/** onnxruntime maps external data only at multiples of the page size or allocation granularity. */
const aligned = (offset: number): number => Math.ceil(offset / 65536) * 65536

export function layoutOf(rows: number, columns: number): QuantizedLayout {
  const parts = Math.ceil(columns / mostPartColumns)
  const partColumns = Math.ceil(columns / parts)
  // Bands of about the same size: the file has room for a whole one at its end.
  const bands = Math.ceil((rows * columns) / bandBytes)
  const bandRows = Math.min(rows, Math.ceil(rows / bands / 64) * 64)
  const last = tilesOf({ rows, columns, partColumns, bandRows }).at(-1)!
  const scales = aligned(last.offset + last.rows * last.columns)
  const errors = aligned(scales + parts * rows * 4)
  const norms = aligned(errors + rows * 4)
  return { rows, columns, partColumns, bandRows, scales, errors, norms, byteLength: norms + rows * 4 }
}

/** How many parts the columns have. */
export const partsOf = ({ columns, partColumns }: Pick<QuantizedLayout, 'columns' | 'partColumns'>): number =>
  Math.ceil(columns / partColumns)

/** Returns the tiles in the order of the file: band by band, and in each band part by part. */
export function tilesOf(
  layout: Pick<QuantizedLayout, 'rows' | 'columns' | 'partColumns' | 'bandRows'>,
): readonly QuantizedTile[] {
  const { rows, columns, partColumns, bandRows } = layout
  const parts = partsOf(layout)
  const tileBytes = aligned(partColumns * bandRows)
  return Array.from({ length: Math.ceil(rows / bandRows) * parts }, (_, index) => {
    const part = index % parts
    const firstColumn = part * partColumns
    const firstRow = Math.floor(index / parts) * bandRows
    return {
      part,
      firstColumn,
      columns: Math.min(partColumns, columns - firstColumn),
      firstRow,
      rows: Math.min(bandRows, rows - firstRow),
      offset: index * tileBytes,
    }
  })
}

/** Returns the ONNX model over a file of this layout. */
export const quantizedModel = (layout: QuantizedLayout, dataFile: string): Uint8Array =>
  matMulIntegerModel(tilesOf(layout), dataFile)

/** What is known of quantized rows: the values of a code 1 [parts, rows], ‖w - ŵ‖, and ‖ŵ‖. */
interface RowFacts {
  readonly scales: Float32Array
  readonly errors: Float32Array
  readonly norms: Float32Array
}

/** Quantizes row `row` of the matrix, `values`, to `codes`. */
function quantizeRow(
  values: Float32Array,
  codes: Int8Array,
  {
    facts,
    row,
    layout,
  }: { readonly facts: RowFacts; readonly row: number; readonly layout: QuantizedLayout },
): void {
  const { rows, columns, partColumns } = layout
  let error = 0
  let norm = 0
  for (let part = 0, start = 0; start < columns; part++, start += partColumns) {
    const end = Math.min(start + partColumns, columns)
    const scale = Math.fround(largest(values, start, end) / largestCode)
    facts.scales[part * rows + row] = scale
    // The codes of numbers near zero, whose inverse is not finite, are 0.
    const factor = Number.isFinite(1 / scale) ? 1 / scale : 0
    for (let i = start; i < end; i++) {
      const value = values[i]!
      // Rounds half up, since all numbers are positive. The clamp is for scales near zero, which can be far from their row.
      const shifted = (value * factor + largestCode + 0.5) | 0
      const code = Math.max(0, Math.min(2 * largestCode, shifted)) - largestCode
      const restored = code * scale
      const difference = value - restored
      codes[i] = code
      error += difference * difference
      norm += restored * restored
    }
  }
  // Rounded up: the bound must hold in float32, too.
  facts.errors[row] = Math.sqrt(error) * (1 + 1e-6)
  facts.norms[row] = Math.sqrt(norm) * (1 + 1e-6)
}

/** Bytes and the position to which they are written. */
export interface PlacedBytes {
  readonly bytes: Uint8Array
  readonly position: number
}

/** Quantizes a matrix some rows at a time. Yields what to write after them, and how many rows are done. */
export function* quantizedParts(
  matrix: WeightMatrix,
  layout: QuantizedLayout,
): Generator<{ readonly writes: readonly PlacedBytes[]; readonly rowsDone: number }> {
  const { rows, columns, bandRows } = layout
  const rowsAtOnce = Math.max(1, Math.floor(valuesAtOnce / columns))
  const facts = {
    scales: new Float32Array(partsOf(layout) * rows),
    errors: new Float32Array(rows),
    norms: new Float32Array(rows),
  }
  const codes = new Int8Array(rowsAtOnce * columns)
  for (let first = 0; first < rows; first += bandRows) {
    const bandEnd = Math.min(first + bandRows, rows)
    const tiles = tilesOf(layout).filter(({ firstRow }) => firstRow === first)
    const turned = tiles.map((tile) => new Int8Array(tile.columns * tile.rows))
    for (let start = first; start < bandEnd; start += rowsAtOnce) {
      const end = Math.min(start + rowsAtOnce, bandEnd)
      const values = matrix.read(start, end)
      for (let row = start; row < end; row++) {
        const [from, to] = [(row - start) * columns, (row - start + 1) * columns]
        quantizeRow(values.subarray(from, to), codes.subarray(from, to), { facts, row, layout })
      }
      tiles.forEach((tile, index) => turn({ codes, columns, start, end }, tile, turned[index]!))
      const isDone = end === bandEnd
      const writes = tiles.map(({ offset }, index) => ({ bytes: bytesOf(turned[index]!), position: offset }))
      yield { writes: isDone ? writes : [], rowsDone: end }
    }
  }
  yield {
    writes: [
      { bytes: bytesOf(facts.scales), position: layout.scales },
      { bytes: bytesOf(facts.errors), position: layout.errors },
      { bytes: bytesOf(facts.norms), position: layout.norms },
    ],
    rowsDone: rows,
  }
}

/** The codes of the rows from `start` to `end`, [rows, columns]. */
interface CodedRows {
  readonly codes: Int8Array
  readonly columns: number
  readonly start: number
  readonly end: number
}

/** Writes a tile's share of the codes to `target` [the tile's columns, its rows]. */
function turn({ codes, columns, start, end }: CodedRows, tile: QuantizedTile, target: Int8Array): void {
  for (let column = 0; column < tile.columns; column++) {
    const begin = column * tile.rows + start - tile.firstRow
    const from = tile.firstColumn + column
    for (let row = 0; row < end - start; row++) target[begin + row] = codes[row * columns + from]!
  }
}
