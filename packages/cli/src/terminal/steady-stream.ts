import { fstatSync, writeSync } from 'node:fs'
import type { TerminalStream } from './terminal.ts'

export interface SteadyStreamOptions {
  /** Called for each text that is lost. */
  readonly onLost?: ((error: NodeJS.ErrnoException) => void) | undefined
  /** For tests; default: Node's. Returns the number of bytes written. */
  readonly write?: ((fd: number, bytes: Buffer) => number) | undefined
}

/**
 * Wraps stdout or stderr so that they survive a full disk. If one of them is a file, Node closes the stream permanently
 * after the first failed write: a server whose log disk was full for a moment would never log again. Here a text that
 * can't be written is dropped and counted, and the next text is preceded by the count.
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
          put(`${lost} lines before this one could not be written, because the disk was full or failing.\n`)
        lost = 0
        put(text)
      } catch (error) {
        lost++
        onLost?.(error as NodeJS.ErrnoException)
      }
    },
  }
}

/** Pipes and sockets are left to Node: they can be full for a moment, which is not an error. */
function isFileOrDevice(fd: number): boolean {
  try {
    const file = fstatSync(fd)
    return file.isFile() || file.isCharacterDevice()
  } catch {
    return false
  }
}
