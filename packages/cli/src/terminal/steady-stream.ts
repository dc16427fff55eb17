import { fstatSync, writeSync } from 'node:fs'
import type { TerminalStream } from './terminal.ts'

export interface SteadyStreamOptions {
  /** Called for each text that is lost. */
  readonly onLost?: ((error: NodeJS.ErrnoException) => void) | undefined
  /** For tests; default the one of Node. Gives the bytes that were written. */
  readonly write?: ((fd: number, bytes: Buffer) => number) | undefined
}

/**
 * stdout or stderr that outlive a full disk. Where one of them is a file, Node closes the stream for good after the first
 * write that fails: a server whose log disk was full for a moment would never log again. Here a text that can't be written
 * is dropped and counted, and the next one that can be is preceded by the count.
 */
export function steadyStream(
  stream: NodeJS.WriteStream & { readonly fd: number },
  { onLost, write = writeSync }: SteadyStreamOptions = {},
): TerminalStream {
  if (stream.isTTY || !isFileOrDevice(stream.fd)) return stream
  let lost = 0
  const put = (text: string): void => {
    let bytes: Buffer = Buffer.from(text)
    while (bytes.length > 0) bytes = bytes.subarray(write(stream.fd, bytes))
  }
  return {
    write(text) {
      try {
        if (lost > 0)
          put(`${lost} lines before this one could not be written, as the disk was full or failing.\n`)
        lost = 0
        put(text)
      } catch (error) {
        lost++
        onLost?.(error as NodeJS.ErrnoException)
      }
    },
  }
}

/** Pipes and sockets are left to Node: they can be full for a moment, which is no error. */
function isFileOrDevice(fd: number): boolean {
  try {
    const file = fstatSync(fd)
    return file.isFile() || file.isCharacterDevice()
  } catch {
    return false
  }
}
