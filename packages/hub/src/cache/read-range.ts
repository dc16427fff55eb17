import { open } from 'node:fs/promises'
import { ModelSourceError } from '../errors.ts'
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
