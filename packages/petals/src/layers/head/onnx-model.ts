import { zeroDigit } from './split-input.ts'

/**
 * Writes the ONNX model of the LM head: `y = MatMulInteger(x)` with 8-bit weights, for each tile. The weights
 * stay in a file of their own (external data), which onnxruntime maps. Field numbers: onnx/onnx.proto3 of onnx/onnx.
 */

/** ONNX element types. */
const UINT8 = 2
const INT8 = 3
const INT32 = 6
/** `TensorProto.DataLocation.EXTERNAL` */
const EXTERNAL = 1

function varint(value: number): number[] {
  const bytes: number[] = []
  while (value > 0x7f) {
    bytes.push((value % 0x80) | 0x80)
    value = Math.floor(value / 0x80)
  }
  return [...bytes, value]
}

const integer = (field: number, value: number): number[] => [...varint(field << 3), ...varint(value)]
const message = (field: number, ...parts: readonly number[][]): number[] => {
  const body = parts.flat()
  return [...varint((field << 3) | 2), ...varint(body.length), ...body]
}
const text = (field: number, value: string): number[] => message(field, [...new TextEncoder().encode(value)])

const valueInfo = (
  field: number,
  name: string,
  type: number,
  dimensions: readonly (string | number)[],
): number[] => {
  const shape = dimensions.map((size) =>
    message(1, typeof size === 'number' ? integer(1, size) : text(2, size)),
  )
  return message(field, text(1, name), message(2, message(1, integer(1, type), message(2, ...shape))))
}

/** A part of the weight matrix, whose values [columns, rows] begin at `offset` of the data file. */
export interface ExternalTile {
  /** Index of the columns' part, and of the input that belongs to it. */
  readonly part: number
  readonly columns: number
  readonly rows: number
  readonly offset: number
}

const initializer = (name: string, { columns, rows, offset }: ExternalTile, dataFile: string): number[] => {
  const entry = (key: string, value: string): number[] => message(13, text(1, key), text(2, value))
  return message(
    5,
    integer(1, columns),
    integer(1, rows),
    integer(2, INT8),
    text(8, name),
    entry('location', dataFile),
    entry('offset', String(offset)),
    entry('length', String(columns * rows)),
    integer(14, EXTERNAL),
  )
}

const zeroPoint = (name: string): number[] =>
  message(5, integer(2, UINT8), text(8, name), message(9, [zeroDigit]))

/** Returns the name of a part's input. */
export const inputOf = (part: number): string => `x${part}`
/** Returns the name of a tile's output. */
export const outputOf = (tile: number): string => `y${tile}`

/**
 * Returns the bytes of a model with an input for each part, [batch, columns of the part], uint8 less {@link zeroDigit}, and an
 * output for each tile, [batch, rows of the tile], int32.
 */
export function matMulIntegerModel(tiles: readonly ExternalTile[], dataFile: string): Uint8Array {
  const parts = new Map(tiles.map(({ part, columns }) => [part, columns]))
  const nodes = tiles.map(({ part }, index) =>
    message(
      1,
      ...[inputOf(part), `weights${index}`, 'zero'].map((name) => text(1, name)),
      text(2, outputOf(index)),
      text(4, 'MatMulInteger'),
    ),
  )
  const graph = message(
    7,
    ...nodes,
    text(2, 'lm_head'),
    ...tiles.map((tile, index) => initializer(`weights${index}`, tile, dataFile)),
    zeroPoint('zero'),
    ...[...parts].map(([part, columns]) => valueInfo(11, inputOf(part), UINT8, ['batch', columns])),
    ...tiles.map(({ rows }, index) => valueInfo(12, outputOf(index), INT32, ['batch', rows])),
  )
  return Uint8Array.from([integer(1, 8), message(8, text(1, ''), integer(2, 21)), graph].flat())
}
