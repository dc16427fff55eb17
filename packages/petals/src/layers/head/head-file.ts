import { createHash } from 'node:crypto'
import { open, readdir, rm, stat, utimes } from 'node:fs/promises'
import path from 'node:path'
import type { FileOptions } from '@petals-chat/engine'
import { bytesOf } from '../../tensor/tensor.ts'
import { inFolder, makeWhole, removeFiles, sizeOf } from '../storage.ts'
import type { StoredTensor, WeightMatrix } from '../weight-matrix.ts'
import { layoutOf, quantizedParts, type QuantizedLayout } from './quantized-matrix.ts'
import { rowBoundsOf, type RowBounds } from './screened-logits.ts'

/** Part of the file names, so that a change of the format creates new files. */
const formatVersion = 4

/** A head that was not used for this long is removed when another one is created. Creating it again takes seconds. */
const unusedMs = 30 * 24 * 60 * 60 * 1000

export interface HeadFileOptions extends FileOptions {
  /** Folder for the 8-bit weights, which are kept between starts. */
  readonly folder: string
}

/** An 8-bit matrix in a file, which the head's process loads, and the distance of each row from the original. */
export interface HeadFile {
  readonly path: string
  readonly layout: QuantizedLayout
  readonly bounds: RowBounds
}

/**
 * Opens the weights in 8 bits. They are created on first use, kept in `folder`, and created again when the weights' file has
 * changed. @throws ModelUnavailableError if the disk is full or not writable; the signal's reason
 */
export async function openHeadFile(
  tensor: StoredTensor,
  matrix: WeightMatrix,
  options: HeadFileOptions,
): Promise<HeadFile> {
  const { folder } = options
  const layout = layoutOf(matrix.rows, matrix.columns)
  const { prefix, name } = await nameOf(tensor, layout)
  const file = path.join(folder, name)
  if ((await sizeOf(file)) !== layout.byteLength) {
    await inFolder(folder, `The 8-bit weights of the LM head (${layout.byteLength} bytes)`, () =>
      makeHeadFile(matrix, layout, file, options),
    )
    await removeFiles(folder, (other, ageMs) => other !== name && isUseless(other, prefix, ageMs))
  }
  await markUsed(file)
  return {
    path: file,
    layout,
    bounds: rowBoundsOf(
      await readFloats(file, layout.errors, layout.rows),
      await readFloats(file, layout.norms, layout.rows),
    ),
  }
}

const digest = (facts: unknown): string =>
  createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 16)

const headPrefix = 'lm-head-'

/** Removes all files of `folder` that were created from the weights at this place. Returns their paths and bytes. */
export async function removeHeadFiles(
  { path: file, offset }: Pick<StoredTensor, 'path' | 'offset'>,
  folder: string,
): Promise<{ readonly paths: readonly string[]; readonly freedBytes: number }> {
  const names = await readdir(folder).catch((): string[] => [])
  const kept = names.filter((name) => name.startsWith(prefixOf(file, offset)) && name.endsWith('.bin'))
  const paths = kept.map((name) => path.join(folder, name))
  const sizes = await Promise.all(paths.map((each) => sizeOf(each)))
  await Promise.all(paths.map((each) => rm(each, { force: true })))
  return { paths, freedBytes: sizes.reduce<number>((sum, size = 0) => sum + size, 0) }
}

const prefixOf = (file: string, offset: number): string =>
  `${headPrefix}${digest([path.resolve(file), offset])}-`

/** Returns `lm-head-PLACE-CONTENT.bin`: the place of the original weights, and the content that this place has now. */
async function nameOf({ path: file, offset, dtype }: StoredTensor, layout: QuantizedLayout) {
  const { size, mtimeMs } = await stat(file)
  const prefix = prefixOf(file, offset)
  return { prefix, name: `${prefix}${digest([size, mtimeMs, dtype, layout, formatVersion])}.bin` }
}

/** Reports whether a file belongs to earlier content of the same place, or to a model that has not been used for long. */
const isUseless = (name: string, prefix: string, ageMs: number): boolean =>
  name.endsWith('.bin') && (name.startsWith(prefix) || (name.startsWith(headPrefix) && ageMs > unusedMs))

async function markUsed(file: string): Promise<void> {
  const now = new Date()
  // If this is not permitted, no file of the folder can be removed either.
  await utimes(file, now, now).catch(() => {})
}

async function makeHeadFile(
  matrix: WeightMatrix,
  layout: QuantizedLayout,
  target: string,
  { signal, onProgress }: FileOptions,
): Promise<void> {
  await makeWhole(target, async (file) => {
    await file.truncate(layout.byteLength)
    for (const { writes, rowsDone } of quantizedParts(matrix, layout)) {
      for (const { bytes, position } of writes) await file.write(bytes, 0, bytes.length, position)
      signal?.throwIfAborted()
      const done = Math.round((100 * rowsDone) / layout.rows)
      onProgress?.({ phase: 'load', label: 'LM head in 8 bits', done, total: 100, unit: 'percent' })
    }
  })
}

async function readFloats(file: string, position: number, count: number): Promise<Float32Array> {
  const values = new Float32Array(count)
  const handle = await open(file, 'r')
  try {
    const { bytesRead } = await handle.read(bytesOf(values), 0, values.byteLength, position)
    if (bytesRead < values.byteLength) throw new RangeError(`${file} ends early.`)
  } finally {
    await handle.close()
  }
  return values
}
