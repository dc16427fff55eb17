import { createHash } from 'node:crypto'
import type { FileOptions, ModelFiles } from '@petals-chat/engine'
import type { TensorEntry } from './safetensors.ts'
import type { StoredTensor } from './weight-matrix.ts'

/** Short name of these bytes of this model, for the cache. */
export function digestOf(files: ModelFiles, entry: TensorEntry): string {
  const facts = [files.description, entry.file, entry.start, entry.end, entry.dtype, entry.shape]
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 16)
}

/**
 * Brings one tensor to this machine: where its file is here already it stays where it is, else just its bytes are
 * fetched (of Llama 2 70B: 0.5 GB for each of two tensors, not shards of 10 GB).
 */
export async function localTensor(
  files: ModelFiles,
  { file, start, end, dtype, shape }: TensorEntry,
  options: FileOptions = {},
): Promise<StoredTensor> {
  return { ...(await files.rangeFile(file, start, end, options)), dtype, shape }
}
