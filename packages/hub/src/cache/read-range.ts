import { open } from 'node:fs/promises'

/** Node reads at most 2 GiB at once. */
const longestRead = 1 << 30

/** Bytes [start, end) of a file of this machine; undefined if it is not there or ends before `end`. */
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
