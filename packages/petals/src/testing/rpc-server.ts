import { randomBytes } from 'node:crypto'
import type { PeerId } from '../p2p/peer-id.ts'
import type { ByteStream } from '../p2p/swarm-transport.ts'
import type { TestPeer } from '../p2p/testing/test-peer.ts'
import { decodeFrameHeader, encodeFrameHeader, frameHeaderBytes, markers } from '../rpc/framing.ts'
import { maxEnvelopeBytes } from '../rpc/unary-call.ts'
import { decodeUnaryEnvelope, encodeRpcError, encodeUnaryEnvelope } from '../wire/p2pd.ts'
import { lengthPrefixed, readLengthPrefixed } from '../wire/varint.ts'

/** Never resolves, like a call to a server that can't answer. */
export const silence = (): Promise<never> => new Promise(() => {})

/** Serves a unary method as p2pd does: one answer, an error if the handler throws, and no answer to another method name. */
export async function serveUnary(
  peer: TestPeer,
  method: string,
  handler: (data: Uint8Array, remote: PeerId) => Promise<Uint8Array>,
): Promise<void> {
  await peer.handle(method, async (stream, remote) => {
    const { callId, call } = decodeUnaryEnvelope(
      await readLengthPrefixed((length) => stream.read(length), maxEnvelopeBytes),
    )
    if (!call || call.method !== method) return await silence()
    // Any byte, or the end of the caller's side, cancels the call.
    const cancelled = stream.read(1).then(() => new Error('The caller sent more than its request.'))
    const answer = handler(call.data, remote).then(
      (response) => ({ callId, response }),
      (error: Error) => ({ callId, error: Buffer.from(error.message) }),
    )
    const first = await Promise.race([answer, cancelled])
    if (first instanceof Error) throw first
    cancelled.catch(() => {})
    await stream.write(lengthPrefixed(encodeUnaryEnvelope(first)))
  })
}

/** The server's side of a streaming call. */
export interface ServedCall {
  readonly bytes: ByteStream
  readonly remote: PeerId
  /** Returns the next request, or undefined after the end of input. */
  next(): Promise<Uint8Array | undefined>
  respond(payload: Uint8Array): Promise<void>
  fail(message: string): Promise<void>
}

/** Serves a streaming method. An error of the handler becomes an error frame; its return ends the output. */
export async function serveStream(
  peer: TestPeer,
  method: string,
  handler: (call: ServedCall) => Promise<void>,
): Promise<void> {
  await peer.handle(method, async (bytes, remote) => {
    const call = servedCall(bytes, remote)
    try {
      await handler(call)
    } catch (error) {
      await call.fail((error as Error).message)
    }
  })
}

function servedCall(bytes: ByteStream, remote: PeerId): ServedCall {
  const frame = (marker: number, payload: Uint8Array): Promise<void> =>
    bytes.write([encodeFrameHeader({ marker, length: payload.byteLength }), payload])
  return {
    bytes,
    remote,
    async next() {
      const { marker, length } = decodeFrameHeader(await bytes.read(frameHeaderBytes), 2 ** 30)
      const payload = await bytes.read(length)
      return marker === markers.message ? payload : undefined
    },
    respond: (payload) => frame(markers.message, payload),
    fail: (message) => frame(markers.endOrError, encodeRpcError(message)),
  }
}

/** Returns random bytes. */
export const garbage = (byteLength: number): Uint8Array => randomBytes(byteLength)
