import type { FloatDtype } from '../../tensor/dtype.ts'
import { floatTensor } from '../../tensor/tensor.ts'

export interface ToyTensor {
  readonly shape: readonly number[]
  readonly values: Float32Array
  readonly dtype?: FloatDtype
}

const names: Readonly<Record<FloatDtype, string>> = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' }

/** Returns the bytes of a safetensors file with these tensors. */
export function safetensorsFile(tensors: Readonly<Record<string, ToyTensor>>): Buffer {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } }
  const parts: Uint8Array[] = []
  let position = 0
  for (const [name, { shape, values, dtype = 'float32' }] of Object.entries(tensors)) {
    const { data } = floatTensor(values, shape, dtype)
    header[name] = { dtype: names[dtype], shape, data_offsets: [position, position + data.length] }
    parts.push(data)
    position += data.length
  }
  return Buffer.concat([safetensorsHeader(JSON.stringify(header)), ...parts])
}

/** Returns only the length and the header. */
export function safetensorsHeader(json: string): Buffer {
  const bytes = Buffer.from(json)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(bytes.length))
  return Buffer.concat([length, bytes])
}

/** Returns values from -1 to 1 that look random; the same seed gives the same values. */
export function toyValues(count: number, seed: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin((i + 1) * 12.9898 + seed * 78.233))
}

export const toyTensor = (
  shape: readonly number[],
  seed: number,
  dtype: FloatDtype = 'float32',
): ToyTensor => ({
  shape,
  values: toyValues(
    shape.reduce((product, size) => product * size, 1),
    seed,
  ),
  dtype,
})
