import { createHash } from 'node:crypto'
import { mkdir, open, rename, stat } from 'node:fs/promises'
import path from 'node:path'
import type { FileOptions, ModelFiles } from '@petals-chat/engine'
import type { TensorEntry } from './safetensors.ts'
import type { StoredTensor } from './weight-matrix.ts'

/** Bytes of one request: large enough for a good rate, small enough to show progress and to lose little to a cut. */
const chunkBytes = 8 * 2 ** 20

/** Short name of these bytes of this model, for the cache. */
export function digestOf(files: ModelFiles, entry: TensorEntry): string {
  const facts = [files.description, entry.file, entry.start, entry.end, entry.dtype, entry.shape]
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 16)
}

/**
 * Brings one tensor to this machine: where its file is here already it stays where it is, else just its bytes are
 * fetched (of Llama 2 70B: 0.5 GB for each of two tensors, not shards of 10 GB) and kept in `folder`.
 */
export async function localTensor(
  files: ModelFiles,
  entry: TensorEntry,
  folder: string,
  options: FileOptions = {},
): Promise<StoredTensor> {
  const { dtype, shape } = entry
  const whole = await files.localPath?.(entry.file)
  if (whole !== undefined) return { path: whole, offset: entry.start, dtype, shape }
  const target = path.join(folder, `tensor-${digestOf(files, entry)}.bin`)
  const size = entry.end - entry.start
  const state = await stat(target).catch(() => undefined)
  if (state?.size !== size) await fetchTensor(files, entry, target, options)
  return { path: target, offset: 0, dtype, shape }
}

async function fetchTensor(
  files: ModelFiles,
  entry: TensorEntry,
  target: string,
  options: FileOptions,
): Promise<void> {
  await mkdir(path.dirname(target), { recursive: true })
  // A cut download goes on from here: the partial file keeps its name until it is whole.
  const partial = `${target}.incomplete`
  const size = entry.end - entry.start
  const file = await open(partial, 'a+')
  try {
    let done = Math.min((await file.stat()).size, size)
    while (done < size) {
      const end = Math.min(done + chunkBytes, size)
      const bytes = await files.range(entry.file, entry.start + done, entry.start + end, {
        signal: options.signal,
      })
      await file.appendFile(bytes)
      done = end
      options.onProgress?.({ phase: 'download', label: entry.file, done, total: size, unit: 'bytes' })
    }
  } finally {
    await file.close()
  }
  await rename(partial, target)
}
