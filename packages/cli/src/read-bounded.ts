import { open } from 'node:fs/promises'

/** A file has more bytes than were asked for. */
export class TooLongError extends Error {
  override readonly name = 'TooLongError'
}

/** Reads a file of at most `maxBytes`: also a pipe, and a device that never ends. @throws TooLongError, or the system's error */
export async function readBounded(path: string, maxBytes: number): Promise<Buffer> {
  await using file = await open(path)
  const buffer = Buffer.alloc(maxBytes + 1)
  for (let length = 0; ;) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length)
    if (bytesRead === 0) return buffer.subarray(0, length)
    length += bytesRead
    if (length > maxBytes) throw new TooLongError(`${path} has more than ${maxBytes} bytes`)
  }
}
