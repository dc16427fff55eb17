import { randomBytes } from 'node:crypto'
import { decodeUnaryEnvelope, encodeUnaryEnvelope } from '../../../packages/petals/src/wire/p2pd.ts'
import { ProtobufReader, ProtobufWriter } from '../../../packages/petals/src/wire/protobuf.ts'
import { lengthPrefixed, readLengthPrefixed } from '../../../packages/petals/src/wire/varint.ts'
import type { DaemonStream } from './p2pd.ts'

/** Answers a unary call. An error is sent as the text of Python's exception; undefined is no answer at all. */
export type UnaryHandler = (data: Uint8Array) => Promise<Uint8Array | Error | undefined>

const maxMessageBytes = 5 * 1024 * 1024
const notBalanced = Uint8Array.of(0x10, 0)

/**
 * Registers a unary method on a persistent connection of p2pd (`PersistentConnectionRequest`) and answers its calls.
 * Returns the ids of the calls that their callers have cancelled, which grow.
 */
export async function serveUnary(
  { socket, reader }: DaemonStream,
  method: string,
  handler: UnaryHandler,
): Promise<readonly string[]> {
  const cancelled: string[] = []
  const read = (): Promise<Uint8Array> => readLengthPrefixed((length) => reader.read(length), maxMessageBytes)
  const register = new ProtobufWriter().requiredString(1, method).finish()
  const request = new ProtobufWriter()
    .requiredBytes(1, randomBytes(16))
    .requiredBytes(2, Buffer.concat([register, notBalanced]))
  socket.write(lengthPrefixed(request.finish()))
  await read()
  const answerCalls = async (): Promise<void> => {
    for (;;) {
      const message = await read()
      const { callId, call } = decodeUnaryEnvelope(message)
      if (isCancel(message)) cancelled.push(Buffer.from(callId).toString('hex'))
      if (!call) continue
      void handler(call.data).then((result) => {
        if (result === undefined) return
        const answer = result instanceof Error ? { error: Buffer.from(result.message) } : { response: result }
        socket.write(lengthPrefixed(encodeUnaryEnvelope({ callId, ...answer })))
      })
    }
  }
  answerCalls().catch(() => undefined) // the daemon has ended
  return cancelled
}

function isCancel(message: Uint8Array): boolean {
  const reader = new ProtobufReader(message)
  let cancel = false
  while (reader.next()) {
    cancel ||= reader.field === 5
    reader.skip()
  }
  return cancel
}
