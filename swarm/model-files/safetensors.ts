import { open } from 'node:fs/promises'

/** A tensor of 32-bit numbers, row-major, outermost dimension first. */
export interface PlainTensor {
  readonly name: string
  readonly shape: readonly number[]
  /** Called once, when the tensor is written. */
  readonly values: () => Float32Array
}

/** Writes tensors as one safetensors file, one after the other, so that only one is in memory. */
export async function writeSafetensors(file: string, tensors: readonly PlainTensor[]): Promise<void> {
  let end = 0
  const entries = tensors.map(({ name, shape }) => {
    const start = end
    end += shape.reduce((product, size) => product * size, 4)
    return [name, { dtype: 'F32', shape, data_offsets: [start, end] }] as const
  })
  const header = JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) })
  const padded = Buffer.from(header.padEnd(Math.ceil(header.length / 8) * 8))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(padded.length))
  await using out = await open(file, 'w')
  await out.writeFile(Buffer.concat([length, padded]))
  for (const { values } of tensors) {
    const { buffer, byteOffset, byteLength } = values()
    await out.writeFile(Buffer.from(buffer, byteOffset, byteLength))
  }
}

/**
 * Reorders the rows of a query or key projection: from pairs side by side (Meta, llama2.c, GGUF) to the two halves of
 * Hugging Face.
 * @param weight `[rows, columns]`
 */
export function toHalves(weight: Float32Array, rows: number, heads: number): Float32Array {
  const columns = weight.length / rows
  const half = rows / heads / 2
  const result = new Float32Array(weight.length)
  for (let head = 0; head < heads; head++)
    for (let pair = 0; pair < half; pair++)
      for (const side of [0, 1]) {
        const from = (head * half + pair) * 2 + side
        const to = (head * 2 + side) * half + pair
        result.set(weight.subarray(from * columns, (from + 1) * columns), to * columns)
      }
  return result
}
