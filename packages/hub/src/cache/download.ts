import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { FileOptions } from '@petals-chat/engine'
import { ModelSourceError } from '../errors.ts'
import { formatBytes } from '../format.ts'
import { TransientError } from '../http/network-error.ts'
import { progressMeter } from '../progress.ts'
import { discard, inStorage, makeFolder, moveInPlace, requireSpace, sizeOf } from '../storage.ts'
import { type ContentCheck, feedFile } from './content-hash.ts'
import { type FileLock, withFileLock } from './file-lock.ts'

export interface Download extends FileOptions {
  readonly path: string
  readonly lockPath: string
  readonly sizeBytes: number
  /** For messages and progress. */
  readonly label: string
  readonly check: ContentCheck
  /** Yields the content from a position on. @throws TransientError after too many failures */
  readonly read: (position: number) => AsyncIterable<Uint8Array>
}

/**
 * Suffix of incomplete files. `huggingface_hub` before 1.0 appends to `<name>.incomplete` under a lock that Node can't
 * take, hence a different name.
 */
export const partialSuffix = '.petals-chat.incomplete'

/**
 * Downloads content to `path`: resumes where an earlier attempt ended, checks size and hash, and only then gives the file
 * its name. If several processes want the same file, one downloads it and the others wait.
 * @throws ModelSourceError (`interrupted`, `corrupt`, `storage`)
 */
export async function download(job: Download): Promise<void> {
  const { path, sizeBytes, signal } = job
  await makeFolder(dirname(path))
  const progress = progressMeter(job.onProgress, { phase: 'download', label: job.label, total: sizeBytes })
  const onWait = (): void => void sizeOf(partialPath(job)).then((done) => done > 0 && progress.update(done))
  await withFileLock(job.lockPath, { signal, onWait }, async (lock) => {
    if ((await sizeOf(path)) !== sizeBytes) await downloadUnderLock(job, lock)
  })
  progress.finish(sizeBytes)
}

async function downloadUnderLock(job: Download, lock: FileLock): Promise<void> {
  const partial = partialPath(job)
  if ((await sizeOf(partial)) > job.sizeBytes) await discard(partial)
  const kept = Math.max(await sizeOf(partial), 0)
  await requireSpace(dirname(partial), job.sizeBytes - kept)
  try {
    await inStorage(dirname(partial), async () => {
      await fill(job, kept)
      // If this process was suspended for long, another one may have taken over the download.
      if (!(await lock.isHeld())) throw takenOver(job.label)
      await moveInPlace(partial, job.path)
    })
  } catch (error) {
    if (error instanceof ModelSourceError && error.failure === 'corrupt') await discard(partial)
    throw error
  }
}

/** Writes the bytes after the first `kept` ones, and checks the whole file. */
async function fill(job: Download, kept: number): Promise<void> {
  // Not appending: another process that writes here writes the same bytes at the same places.
  const file = await open(partialPath(job), constants.O_RDWR | constants.O_CREAT)
  try {
    if (kept > 0) await verifyKept(job, kept)
    await writeRest(job, file, kept)
    // Without this, a power failure could leave a file with the right name and size but without its content.
    await file.sync()
  } finally {
    await file.close()
  }
  const mismatch = job.check.mismatch()
  if (mismatch !== undefined) throw corrupt(job.label, mismatch)
}

async function verifyKept(
  { label, check, signal, onProgress, ...job }: Download,
  kept: number,
): Promise<void> {
  const progress = progressMeter(onProgress, { phase: 'verify', label, total: kept })
  await feedFile(partialPath(job), kept, check.update, { signal, onBytes: progress.update })
}

async function writeRest(job: Download, file: FileHandle, kept: number): Promise<void> {
  const progress = progressMeter(job.onProgress, {
    phase: 'download',
    label: job.label,
    total: job.sizeBytes,
  })
  let position = kept
  progress.update(position)
  try {
    for await (const chunk of job.read(kept)) {
      await writeFully(file, chunk, position)
      job.check.update(chunk)
      position += chunk.length
      progress.update(position)
    }
  } catch (error) {
    throw error instanceof TransientError ? interrupted(job, position, error) : error
  }
  if (position !== job.sizeBytes)
    throw corrupt(job.label, `it has ${position} bytes instead of ${job.sizeBytes}`)
}

async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten
  }
}

const partialPath = ({ path }: Pick<Download, 'path'>): string => path + partialSuffix

const interrupted = (
  { label, sizeBytes }: Download,
  position: number,
  cause: TransientError,
): ModelSourceError =>
  new ModelSourceError(
    'interrupted',
    `The download of ${label} stopped at ${formatBytes(position)} of ${formatBytes(sizeBytes)}: ${cause.message}. ` +
      `These ${formatBytes(position)} are kept: run again to resume the download.`,
    { cause },
  )

const corrupt = (label: string, reason: string): ModelSourceError =>
  new ModelSourceError(
    'corrupt',
    `${label} failed verification: ${reason}. It was deleted; run again to download it.`,
  )

const takenOver = (label: string): ModelSourceError =>
  new ModelSourceError(
    'interrupted',
    `Another process took over the download of ${label}. Run again to use the downloaded file.`,
  )
