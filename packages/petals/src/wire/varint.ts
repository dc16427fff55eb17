import { ProtocolError } from '../errors.ts'

/** Appends the LEB128 of an integer from 0 to 2^53 to `bytes`. */
export function appendVarint(bytes: number[], value: number): void {
  while (value > 0x7f) {
    bytes.push((value % 0x80) | 0x80)
    value = Math.floor(value / 0x80)
  }
  bytes.push(value)
}

export function encodeVarint(value: number): Uint8Array {
  const bytes: number[] = []
  appendVarint(bytes, value)
  return Uint8Array.from(bytes)
}

/** Returns the message with its length in front, as libp2p's unary protocols send it. */
export const lengthPrefixed = (message: Uint8Array): Uint8Array =>
  Buffer.concat([encodeVarint(message.byteLength), message])

/** Longest length prefix that is read: 2^28 - 1 bytes is far above every limit in use. */
const maxPrefixBytes = 4

/**
 * Reads one length-prefixed message. `read` returns exactly as many bytes as it is asked for.
 * @throws ProtocolError if the prefix announces more than `maxBytes`
 */
export async function readLengthPrefixed(
  read: (byteLength: number) => Promise<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array> {
  let length = 0
  for (let i = 0; i < maxPrefixBytes; i++) {
    const [byte] = await read(1)
    length += (byte! & 0x7f) * 0x80 ** i
    if (byte! < 0x80) {
      if (length > maxBytes) break
      return read(length)
    }
  }
  throw new ProtocolError(`A message announced more than ${maxBytes} bytes.`)
}
