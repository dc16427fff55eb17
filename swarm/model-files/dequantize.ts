/** Blocks of 32 numbers (ggml-common.h of llama.cpp). */
const blockLength = 32

/** Returns the numbers of a tensor's bytes. @throws Error for a type that the models here don't have */
export function dequantize(type: string, bytes: Uint8Array): Float32Array {
  switch (type) {
    case 'F32':
      return new Float32Array(new Uint8Array(bytes).buffer)
    case 'Q8_0':
      return fromBlocks(bytes, 34, q8Block)
    case 'Q4_1':
      return fromBlocks(bytes, 20, q41Block)
    default:
      throw new Error(`Tensors of the type ${type} are not known here.`)
  }
}

type Block = (view: DataView, offset: number, values: Float32Array) => void

function fromBlocks(bytes: Uint8Array, blockBytes: number, block: Block): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const values = new Float32Array((bytes.length / blockBytes) * blockLength)
  for (let index = 0; index * blockBytes < bytes.length; index++)
    block(view, index * blockBytes, values.subarray(index * blockLength, (index + 1) * blockLength))
  return values
}

/** A scale, and 32 numbers of 8 bits. */
const q8Block: Block = (view, offset, values) => {
  const scale = half(view.getUint16(offset, true))
  for (let i = 0; i < blockLength; i++) values[i] = scale * view.getInt8(offset + 2 + i)
}

/** A scale, a minimum, and 32 numbers of 4 bits: the first 16 in the lower halves of the bytes. */
const q41Block: Block = (view, offset, values) => {
  const scale = half(view.getUint16(offset, true))
  const least = half(view.getUint16(offset + 2, true))
  for (let i = 0; i < blockLength / 2; i++) {
    const pair = view.getUint8(offset + 4 + i)
    values[i] = scale * (pair & 15) + least
    values[i + blockLength / 2] = scale * (pair >> 4) + least
  }
}

/** Reads a number of 16 bits (IEEE 754 binary16). */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 31) return fraction ? Number.NaN : sign * Infinity
  if (exponent === 0) return sign * fraction * 2 ** -24
  return sign * (1024 + fraction) * 2 ** (exponent - 25)
}
