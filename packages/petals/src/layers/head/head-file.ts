import { open } from 'node:fs/promises'
import path from 'node:path'
import type { FileOptions } from '@petals-chat/engine'
import { bytesOf } from '../../tensor/tensor.ts'
import { DerivedFiles, type DerivedName, type RemovedFiles } from '../derived-files.ts'
import { inFolder, makeWhole, sizeOf } from '../storage.ts'
import type { StoredTensor, WeightMatrix } from '../weight-matrix.ts'
import { layoutOf, quantizedParts, type QuantizedLayout } from './quantized-matrix.ts'
import { rowBoundsOf, type RowBounds } from './screened-logits.ts'

const headFiles = new DerivedFiles('lm-head', 4)

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
  const name = await nameOf(tensor, layout)
  const file = path.join(folder, name.file)
  if ((await sizeOf(file)) !== layout.byteLength) {
    await inFolder(folder, `The 8-bit weights of the LM head (${layout.byteLength} bytes)`, () =>
      makeHeadFile(matrix, layout, file, options),
    )
    await headFiles.removeUseless(folder, name)
  }
  await headFiles.markUsed(file)
  return {
    path: file,
    layout,
    bounds: rowBoundsOf(
      await readFloats(file, layout.errors, layout.rows),
      await readFloats(file, layout.norms, layout.rows),
    ),
  }
}

/** Removes all files of `folder` that were created from the weights at this place. */
export const removeHeadFiles = (
  { path, offset }: Pick<StoredTensor, 'path' | 'offset'>,
  folder: string,
): Promise<RemovedFiles> => headFiles.removeOf({ path, part: [offset] }, folder)

const nameOf = ({ path, offset, dtype }: StoredTensor, layout: QuantizedLayout): Promise<DerivedName> =>
  headFiles.nameOf({ path, part: [offset] }, [dtype, layout])

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
