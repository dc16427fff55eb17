import { ggmlTypes } from '@petals-chat/ggml'

/** How weights are kept in memory: as in the file, or converted while loading. */
export type WeightType = 'as-stored' | 'f32' | 'f16' | 'bf16' | 'q8_0' | 'q4_k'

const { f32, f16, bf16, q8_0, q4_k, q5_0 } = ggmlTypes
const plain: readonly number[] = [f32, f16, bf16]

/** Returns whether weights of this type are numbers as they are, which can be converted. */
export const isPlain = (type: number): boolean => plain.includes(type)

/** Elements of a row that one block of a quantized type has. */
const blockLengths: ReadonlyMap<number, number> = new Map([
  [q8_0, 32],
  [q5_0, 32],
  [q4_k, 256],
])

/** Where rows don't fit a type: llama.cpp takes the same one (llama-quant.cpp). */
const fallbacks: ReadonlyMap<number, number> = new Map([
  [q4_k, q5_0],
  [q5_0, f16],
  [q8_0, f16],
])

/**
 * Returns the type of a tensor in memory. Vectors (norms, biases) and what routes experts are float32; quantized files are
 * taken as they are.
 */
export function typeInMemory(
  name: string,
  stored: number,
  shape: readonly number[],
  weights: WeightType,
): number {
  if (shape.length === 1 || name.startsWith('ffn_gate_inp')) return f32
  if (!isPlain(stored) || weights === 'as-stored') return stored
  let type: number = ggmlTypes[weights]
  while (shape[0]! % (blockLengths.get(type) ?? 1) !== 0) type = fallbacks.get(type)!
  return type
}
