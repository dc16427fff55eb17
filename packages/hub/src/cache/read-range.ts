import { open, readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { ModelSourceError } from '../errors.ts'
import { formatBytes } from '../format.ts'
import { sizeOf } from '../storage.ts'

/** Node reads at most 2 GiB in one call. */
const longestRead = 1 << 30

/** Reads bytes [start, end) of a local file; undefined if it does not exist or ends before `end`. */
export async function readRange(path: string, start: number, end: number): Promise<Uint8Array | undefined> {
  const file = await open(path).catch(() => undefined)
  if (file === undefined) return undefined
  try {
    const { size } = await file.stat()
    if (size < end) return undefined
    const bytes = new Uint8Array(end - start)
    for (let done = 0; done < bytes.length;) {
      const length = Math.min(bytes.length - done, longestRead)
      const { bytesRead } = await file.read(bytes, done, length, start + done)
      if (bytesRead === 0) return undefined
      done += bytesRead
    }
    return bytes
  } finally {
    await file.close()
  }
}

/** @throws RangeError if the caller's range is invalid */
export function requireRange(name: string, start: number, end: number): void {
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= start && start < end) return
  throw new RangeError(
    `Bytes ${start} to ${end} of ${name} are not a valid range: 0 ≤ start < end is required.`,
  )
}

/** Reads bytes [start, end) of a file that must contain them. @throws ModelSourceError (`corrupt`) */
export async function readKnownRange(path: string, start: number, end: number): Promise<Uint8Array> {
  const bytes = await readRange(path, start, end)
  if (bytes !== undefined) return bytes
  throw tooShort(path, start, end)
}

/** @throws ModelSourceError (`corrupt`) if the file ends before `end` */
export async function requireBytes(path: string, start: number, end: number): Promise<void> {
  if ((await sizeOf(path)) < end) throw tooShort(path, start, end)
}

const tooShort = (path: string, start: number, end: number): ModelSourceError =>
  new ModelSourceError(
    'corrupt',
    `${path} ends before byte ${end} (bytes from ${start} were requested). It is damaged, or belongs to another model.`,
  )

/** The longest known text files of models are tokenizers, of 35 MB. A longer one is not read into memory. */
const longestText = 64 * 2 ** 20

/** Fails before the download of a file that is too long for `readText`; `bytes` is undefined if its length is not known. */
export function requireTextLength(name: string, bytes: number | undefined): void {
  if (bytes === undefined || bytes <= longestText) return
  throw new ModelSourceError(
    'corrupt',
    `${name} has ${formatBytes(bytes)}, but no model's file of that name has more than ${formatBytes(longestText)}. It is damaged, or no such file.`,
  )
}

/** Reads a small text file of a model. @throws ModelSourceError (`corrupt`) if it is too long for memory */
export async function readText(path: string): Promise<string> {
  requireTextLength(basename(path), await sizeOf(path))
  return readFile(path, 'utf8')
}
