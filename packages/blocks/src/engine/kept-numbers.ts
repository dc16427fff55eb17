import { tensorTypes } from '@petals-chat/llama/gguf'
import { isPlain } from '../model/weight-types.ts'
import type { BlockEngineInfo } from './block-engine.ts'
import { weightBytesOf, type PlannedTensor } from './fetch-weights.ts'

/** Returns what most of the weights are. */
export function keptNumbersOf(
  tensors: readonly PlannedTensor[],
): Pick<BlockEngineInfo, 'quantization' | 'dtype'> {
  const bytes = new Map<number, number>()
  for (const tensor of tensors)
    bytes.set(tensor.typeInMemory, (bytes.get(tensor.typeInMemory) ?? 0) + weightBytesOf([tensor]))
  const [type] = [...bytes].reduce((most, entry) => (entry[1] > most[1] ? entry : most))
  const name = tensorTypes.get(type)!.name.toLowerCase()
  if (!isPlain(type)) return { quantization: name, dtype: 'float32' }
  return { quantization: 'none', dtype: name === 'f32' ? 'float32' : name === 'f16' ? 'float16' : 'bfloat16' }
}
