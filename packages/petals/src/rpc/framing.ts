import { ProtocolError } from '../errors.ts'

/**
 * Frames of hivemind's streaming calls (`hivemind/p2p/p2p_daemon.py`): a marker of one byte, a length of 8 bytes
 * (big-endian, unlike all numbers within the payload), and the payload.
 */
export const frameHeaderBytes = 9

export const markers = {
  message: 0x00,
  /** From the caller: the end of its input. From the callee: always an error, even if its text is empty. */
  endOrError: 0x01,
} as const

export interface FrameHeader {
  readonly marker: number
  readonly length: number
}

export function encodeFrameHeader({ marker, length }: FrameHeader): Uint8Array {
  const header = new Uint8Array(frameHeaderBytes)
  header[0] = marker
  new DataView(header.buffer).setBigUint64(1, BigInt(length))
  return header
}

/** The frame that the caller sends after its last message. */
export const endOfInput: Uint8Array = encodeFrameHeader({ marker: markers.endOrError, length: 0 })

/** Longest error text that is read. */
export const maxErrorBytes = 64 * 1024

/** @throws ProtocolError if the payload is longer than `maxMessageBytes`, or the marker is unknown. */
export function decodeFrameHeader(bytes: Uint8Array, maxMessageBytes: number): FrameHeader {
  const marker = bytes[0]!
  if (marker !== markers.message && marker !== markers.endOrError) {
    throw new ProtocolError(`A frame has the unknown marker ${marker}.`)
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(1)
  const maximum = marker === markers.message ? maxMessageBytes : maxErrorBytes
  if (length > BigInt(maximum)) {
    throw new ProtocolError(`A frame announced ${length} bytes; at most ${maximum} are expected.`)
  }
  return { marker, length: Number(length) }
}
