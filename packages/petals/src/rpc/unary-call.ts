import { randomBytes } from 'node:crypto'
import { ConnectionLostError, DeadlineExceededError, ProtocolError, RpcError } from '../errors.ts'
import { peerIdBytes, type PeerId } from '../p2p/peer-id.ts'
import type { ByteStream, SwarmTransport } from '../p2p/swarm-transport.ts'
import { decodeUnaryEnvelope, encodeUnaryEnvelope } from '../wire/p2pd.ts'
import { lengthPrefixed, readLengthPrefixed } from '../wire/varint.ts'
import { startTimeout } from './running-timeout.ts'
import { withPeer } from './with-peer.ts'
import type { RpcMethod, UnaryOptions } from './rpc-client.ts'

/** Largest envelope in either direction (`p2pd/persistent_stream.go`). A server drops a larger one without an answer. */
export const maxEnvelopeBytes = 4 * 1024 * 1024

const defaultTimeoutMs = 10_000

/**
 * Makes one unary call on a stream of its own (`p2pd/persistent_stream.go`). It sends nothing after the request and does
 * not half-close the stream before the answer: the server's daemon takes either for a cancellation.
 */
export async function callUnary<Request, Response>(
  transport: Pick<SwarmTransport, 'openStream' | 'patience'>,
  peer: PeerId,
  method: RpcMethod<Request, Response>,
  request: Request,
  options: UnaryOptions = {},
): Promise<Response> {
  const timeoutMs = transport.patience(options.timeoutMs ?? defaultTimeoutMs)
  const callId = randomBytes(16)
  const call = { peer: peerIdBytes(peer), method: method.name, data: method.encodeRequest(request) }
  const envelope = encodeUnaryEnvelope({ callId, call })
  if (envelope.byteLength > maxEnvelopeBytes) {
    throw new RangeError(
      `A request of ${envelope.byteLength} bytes is too long for a unary call of ${method.name}.`,
    )
  }
  const late = new AbortController()
  const stop = startTimeout(timeoutMs, () => late.abort())
  const signal = options.signal ? AbortSignal.any([options.signal, late.signal]) : late.signal
  try {
    const answer = await exchange(transport, peer, method.name, envelope, { ...options, signal, timeoutMs })
    return withPeer(peer, () => readAnswer(answer, callId, method, peer))
  } catch (error) {
    options.signal?.throwIfAborted()
    if (late.signal.aborted)
      throw new DeadlineExceededError(`${method.name} of peer ${peer}`, timeoutMs, { peer, cause: error })
    throw error
  } finally {
    stop()
  }
}

async function exchange(
  transport: Pick<SwarmTransport, 'openStream'>,
  peer: PeerId,
  protocol: string,
  envelope: Uint8Array,
  { signal, timeoutMs, onOpen }: UnaryOptions & { readonly signal: AbortSignal },
): Promise<Uint8Array> {
  const stream = await transport.openStream(peer, protocol, { signal, timeoutMs, onOpen })
  try {
    await stream.write(lengthPrefixed(envelope), { signal })
    const answer = await readEnvelope(stream, signal, peer, protocol)
    // Not awaited: the answer has arrived, and the caller need not wait for a server that is slow to close.
    void stream[Symbol.asyncDispose]()
    return answer
  } catch (error) {
    stream.abort(error as Error)
    throw error
  }
}

async function readEnvelope(
  stream: ByteStream,
  signal: AbortSignal,
  peer: PeerId,
  protocol: string,
): Promise<Uint8Array> {
  try {
    return await readLengthPrefixed((length) => stream.read(length, { signal }), maxEnvelopeBytes)
  } catch (error) {
    if (!(error instanceof ConnectionLostError) || !error.clean) throw error
    const reason = 'the request was cancelled, too long or malformed, or its handler crashed'
    throw new ConnectionLostError(`Peer ${peer} ended ${protocol} without an answer: ${reason}.`, {
      peer,
      cause: error,
      clean: true,
    })
  }
}

function readAnswer<Request, Response>(
  bytes: Uint8Array,
  callId: Uint8Array,
  method: RpcMethod<Request, Response>,
  peer: PeerId,
): Response {
  const { callId: answeredId, response, error } = decodeUnaryEnvelope(bytes)
  if (Buffer.compare(answeredId, callId) !== 0)
    throw new ProtocolError(`The answer of ${method.name} belongs to another call.`)
  if (error) throw new RpcError(method.name, Buffer.from(error).toString('utf8'), { peer })
  if (!response) throw new ProtocolError(`${method.name} answered with neither a response nor an error.`)
  return method.decodeResponse(response)
}
