/**
 * The weights of a repository in the formats of transformers (safetensors, PyTorch): where each tensor is, by the headers of
 * the files. No weights are downloaded.
 *
 * @packageDocumentation
 */
export { readJsonFile } from './layers/json-file.ts'
export type { TensorEntry } from './layers/tensor-entry.ts'
export { openWeightIndex, type WeightIndex } from './layers/weight-index.ts'
