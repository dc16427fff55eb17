import type { AbortOptions, ModelFiles } from '@petals-chat/engine'
import { openWeightIndex, type TensorEntry } from '@petals-chat/petals/weights'
import { ggmlTypes } from '@petals-chat/ggml'
import type { TensorStore } from './block-tensors.ts'
import { huggingFaceTensors } from './wanted-tensors.ts'

const types: Readonly<Record<TensorEntry['dtype'], number>> = {
  float32: ggmlTypes.f32,
  float16: ggmlTypes.f16,
  bfloat16: ggmlTypes.bf16,
}

/** Opens the weights of a repository in a format of transformers. @throws ModelUnavailableError */
export async function openHuggingFaceStore(files: ModelFiles, options: AbortOptions): Promise<TensorStore> {
  const index = await openWeightIndex(files, options)
  return {
    format: huggingFaceTensors,
    description: files.description,
    async lookUp(name) {
      const entry = await index.lookUp(name, options)
      if (!entry) return undefined
      const { file, start, end } = entry
      return { file, start, end, type: types[entry.dtype], shape: entry.shape.toReversed() }
    },
  }
}
