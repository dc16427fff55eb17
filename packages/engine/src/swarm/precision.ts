import type { SwarmServerStatus } from './swarm-status.ts'

const types: ReadonlyMap<string, string> = new Map([
  ['float32', 'F32'],
  ['float16', 'F16'],
  ['bfloat16', 'BF16'],
])

/**
 * Returns in a few characters how a server computes: `F32`, `BF16`, `Q8_0`, or `NF4 (BF16)` where quantized weights are computed
 * with 16 bits. Undefined if it announces neither.
 */
export function precisionName({
  dtype,
  quantization = 'none',
}: Pick<SwarmServerStatus, 'dtype' | 'quantization'>): string | undefined {
  const type = dtype && (types.get(dtype) ?? dtype)
  if (quantization === 'none') return type || undefined
  const weights = quantization.toUpperCase()
  return type === undefined || type === 'F32' ? weights : `${weights} (${type})`
}
