import type { ProtocolServer } from '../p2p/listening/listening-transport.ts'
import type { PeerId } from '../p2p/peer-id.ts'
import type { ByteStream } from '../p2p/swarm-transport.ts'
import { decodeUnaryEnvelope, encodeUnaryEnvelope, type UnaryEnvelope } from '../wire/p2pd.ts'
import { lengthPrefixed, readLengthPrefixed } from '../wire/varint.ts'
import type { Reserve } from './inbound-budget.ts'
import { isForCaller, textOfUnaryError } from './remote-errors.ts'
import { maxEnvelopeBytes } from './unary-call.ts'
import { within } from './within.ts'

/** What a handler knows of the call besides its request. */
export interface UnaryContext {
  readonly remote: PeerId
  /** Aborted when the caller has cancelled the call. */
  readonly signal: AbortSignal
  /**
   * Leaves the memory of the request taken after the call, for a handler that keeps the request: until the returned function is
   * called. Without it the end of the call gives the memory back.
   */
  readonly keep: () => () => void
}

export interface ServeUnaryOptions {
  /** Waits for memory for a request. */
  readonly reserve: Reserve
}

export type UnaryHandler = (data: Uint8Array, context: UnaryContext) => Promise<Uint8Array>

/** For a request of 4 MiB at 1 Mbit/s, and for its answer. */
const transferMs = 60_000
const callIdBytes = 16

/**
 * Serves a unary method as hivemind's daemon does (`p2pd/persistent_stream.go`): one answer, which is an error if the handler
 * throws. A request that names another method or has no valid id, and an answer that is too long, end without an answer.
 */
export async function serveUnary(
  server: ProtocolServer,
  method: string,
  { reserve }: ServeUnaryOptions,
  handler: UnaryHandler,
): Promise<void> {
  await server.handle(method, async (stream, remote, closed) => {
    let release = (): void => {}
    const read = async (length: number, signal: AbortSignal): Promise<Uint8Array> => {
      if (length > 1) release = await reserve(remote, length, AbortSignal.any([signal, closed]))
      return await stream.read(length, { signal })
    }
    const keep = (): (() => void) => {
      const kept = release
      release = () => {}
      return kept
    }
    try {
      const request = await readRequest(read)
      const answer = await answerCall(stream, request, { server, method, remote, keep, handler })
      await within(transferMs, {}, (signal) => stream.write(lengthPrefixed(answer), { signal }))
    } finally {
      release()
    }
  })
}

interface Served {
  readonly server: ProtocolServer
  readonly method: string
  readonly remote: PeerId
  readonly keep: UnaryContext['keep']
  readonly handler: UnaryHandler
}

async function answerCall(
  stream: ByteStream,
  { callId, call }: UnaryEnvelope,
  { server, method, remote, keep, handler }: Served,
): Promise<Uint8Array> {
  if (callId.byteLength !== callIdBytes || call?.method !== method)
    throw new Error('The request is not a call of this method.')
  const answer = await answerUnlessCancelled(stream, (signal) =>
    handler(call.data, { remote, signal, keep }).then(
      (response): UnaryEnvelope => ({ callId, response }),
      (error: unknown): UnaryEnvelope => {
        if (!isForCaller(error) && !signal.aborted) server.report?.(error, method, remote)
        return { callId, error: Buffer.from(textOfUnaryError(error)) }
      },
    ),
  )
  const envelope = encodeUnaryEnvelope(answer)
  if (envelope.byteLength > maxEnvelopeBytes) throw new Error('The answer is too long for a unary call.')
  return envelope
}

/** @param read reads bytes, and takes memory for them first */
async function readRequest(
  read: (length: number, signal: AbortSignal) => Promise<Uint8Array>,
): Promise<UnaryEnvelope> {
  return await within(transferMs, {}, async (signal) =>
    decodeUnaryEnvelope(await readLengthPrefixed((length) => read(length, signal), maxEnvelopeBytes)),
  )
}

/** Any byte after the request, and the end of the caller's side, cancel a call. */
async function answerUnlessCancelled<T>(
  stream: ByteStream,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const cancel = new AbortController()
  const over = new AbortController()
  const cancelled = stream.read(1, { signal: over.signal }).then(
    () => Promise.reject(new Error('The caller sent more than its request.')),
    (error: unknown) => Promise.reject(error as Error),
  )
  cancelled.catch((error: unknown) => cancel.abort(error))
  try {
    return await Promise.race([work(cancel.signal), cancelled])
  } finally {
    over.abort(new Error('The call has its answer.'))
  }
}
