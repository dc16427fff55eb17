import type { AbortOptions, ModelFiles } from '@petals-chat/engine'
import type { Architecture } from './architecture.ts'
import type { TensorEntry } from './tensor-entry.ts'
import { openWeightIndex } from './weight-index.ts'

/** The large tensors of a checkpoint that the client needs. */
export interface LocalTensors {
  readonly embedding: TensorEntry
  /** The same entry as `embedding` if the head is tied to it. */
  readonly head: TensorEntry
}

/** Finds the tensors by the headers of the weights' files; downloads no weights. @throws ModelUnavailableError */
export async function findLocalTensors(
  files: ModelFiles,
  { embedding, head }: Pick<Architecture, 'embedding' | 'head'>,
  options: AbortOptions = {},
): Promise<LocalTensors> {
  const index = await openWeightIndex(files, options)
  const found = await index.find(embedding, options)
  return { embedding: found, head: head === 'tied' ? found : await index.find(head, options) }
}

/** Returns the bytes of a checkpoint that this machine downloads, without the few kilobytes of the norms. */
export const downloadBytesOf = ({ embedding, head }: LocalTensors): number =>
  [...new Set([embedding, head])].reduce((sum, { start, end }) => sum + end - start, 0)
