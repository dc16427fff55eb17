import { lengthPrefixed } from '../wire/varint.ts'
import type { ByteStream } from './swarm-transport.ts'

/** The version of multistream-select that libp2p's streams begin with. */
const version = lengthPrefixed(Buffer.from('/multistream/1.0.0\n'))
const refusal = lengthPrefixed(Buffer.from('na\n'))

/** Returns what the client sends to agree on one protocol, and what the server repeats if it agrees. */
export function protocolHeader(protocol: string): Uint8Array {
  return Buffer.concat([version, lengthPrefixed(Buffer.from(`${protocol}\n`))])
}

/** What the server answered to the header; `invalid` is no answer of multistream-select. */
export type NegotiationAnswer = 'agreed' | 'refused' | 'invalid'

/**
 * Reads the server's answer to {@link protocolHeader}, never more bytes than the valid answer has
 * (https://github.com/multiformats/multistream-select). @throws ConnectionLostError if the stream ends first
 */
export async function readNegotiationAnswer(
  stream: Pick<ByteStream, 'read'>,
  protocol: string,
  signal: AbortSignal,
): Promise<NegotiationAnswer> {
  const agreement = protocolHeader(protocol).subarray(version.byteLength)
  const read = (length: number): Promise<Uint8Array> => stream.read(length, { signal })
  if (!isEqual(await read(version.byteLength), version)) return 'invalid'
  // The shorter of the two possible lines first: a refusal is followed by nothing.
  const shorter = Math.min(agreement.byteLength, refusal.byteLength)
  const start = await read(shorter)
  if (isEqual(start, refusal)) return 'refused'
  if (!isEqual(start, agreement.subarray(0, shorter))) return 'invalid'
  const rest = await read(agreement.byteLength - shorter)
  return isEqual(rest, agreement.subarray(shorter)) ? 'agreed' : 'invalid'
}

const isEqual = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
