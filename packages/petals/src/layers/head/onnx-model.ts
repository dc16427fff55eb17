/**
 * Writes the ONNX model of the LM head: `y = MatMulNBits(x)` with 8-bit weights. Its tensors stay in a file of their own
 * (external data), which onnxruntime maps. Field numbers: onnx/onnx.proto3 of onnx/onnx.
 */

/** ONNX element types. */
const FLOAT = 1
const UINT8 = 2
/** `AttributeProto.AttributeType.INT` */
const INT_ATTRIBUTE = 2
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

const intAttribute = (name: string, value: number): number[] =>
  message(5, text(1, name), integer(3, value), integer(20, INT_ATTRIBUTE))

const valueInfo = (field: number, name: string, dimensions: readonly (string | number)[]): number[] => {
  const shape = dimensions.map((size) =>
    message(1, typeof size === 'number' ? integer(1, size) : text(2, size)),
  )
  return message(field, text(1, name), message(2, message(1, integer(1, FLOAT), message(2, ...shape))))
}

export interface ExternalTensor {
  readonly name: string
  readonly type: 'float' | 'uint8'
  readonly shape: readonly number[]
  /** Position of its bytes in the data file. */
  readonly offset: number
  readonly length: number
}

const initializer = (tensor: ExternalTensor, dataFile: string): number[] => {
  const entry = (key: string, value: string): number[] => message(13, text(1, key), text(2, value))
  return message(
    5,
    ...tensor.shape.map((size) => integer(1, size)),
    integer(2, tensor.type === 'float' ? FLOAT : UINT8),
    text(8, tensor.name),
    entry('location', dataFile),
    entry('offset', String(tensor.offset)),
    entry('length', String(tensor.length)),
    integer(14, EXTERNAL),
  )
}

export interface MatMulNBitsShape {
  /** Rows of the weight matrix: the vocabulary. */
  readonly rows: number
  /** Columns: the hidden size. */
  readonly columns: number
  /** Columns that share one scale. */
  readonly blockSize: number
}

/** Returns the bytes of a model with input `x` [batch, columns] and output `y` [batch, rows], float32. */
export function matMulNBitsModel(
  shape: MatMulNBitsShape,
  weights: ExternalTensor,
  scales: ExternalTensor,
  dataFile: string,
): Uint8Array {
  const node = message(
    1,
    ...['x', weights.name, scales.name].map((name) => text(1, name)),
    text(2, 'y'),
    text(4, 'MatMulNBits'),
    intAttribute('K', shape.columns),
    intAttribute('N', shape.rows),
    intAttribute('bits', 8),
    intAttribute('block_size', shape.blockSize),
    // 4: activations are quantized to int8, one block at a time. Level 0 keeps them float32 and is 150 times slower.
    intAttribute('accuracy_level', 4),
    text(7, 'com.microsoft'),
  )
  const graph = message(
    7,
    node,
    text(2, 'lm_head'),
    initializer(weights, dataFile),
    initializer(scales, dataFile),
    valueInfo(11, 'x', ['batch', shape.columns]),
    valueInfo(12, 'y', ['batch', shape.rows]),
  )
  const opset = (domain: string, version: number): number[] =>
    message(8, text(1, domain), integer(2, version))
  return Uint8Array.from([integer(1, 8), opset('', 21), opset('com.microsoft', 1), graph].flat())
}
