/** Envelopes of hivemind's libp2p daemon (`p2pd.proto`): unary calls, and the errors of streaming calls. */
import { ProtobufReader, ProtobufWriter } from './protobuf.ts'

/** Both directions of a unary call use this message: the answer is a "request" too. */
export interface UnaryEnvelope {
  readonly callId: Uint8Array
  readonly call?: UnaryCall | undefined
  readonly response?: Uint8Array | undefined
  /** UTF-8 of the `repr` of the exception. */
  readonly error?: Uint8Array | undefined
}

export interface UnaryCall {
  /** Bytes of the callee's id. */
  readonly peer: Uint8Array
  /** Repeats the protocol id. The server drops a call with another name without an answer. */
  readonly method: string
  readonly data: Uint8Array
}

export function encodeUnaryEnvelope({ callId, call, response, error }: UnaryEnvelope): Uint8Array {
  const writer = new ProtobufWriter().requiredBytes(1, callId)
  if (call) {
    const { peer, method, data } = call
    writer.message(
      3,
      new ProtobufWriter().requiredBytes(1, peer).requiredString(2, method).requiredBytes(3, data),
    )
  }
  if (response ?? error) {
    const answer = new ProtobufWriter()
    writer.message(4, error ? answer.requiredBytes(2, error) : answer.requiredBytes(1, response!))
  }
  return writer.finish()
}

export function decodeUnaryEnvelope(bytes: Uint8Array): UnaryEnvelope {
  const reader = new ProtobufReader(bytes)
  let callId: Uint8Array = new Uint8Array(0)
  let call: UnaryCall | undefined
  let answer: Pick<UnaryEnvelope, 'response' | 'error'> = {}
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        callId = reader.bytes()
        break
      case 3:
        call = decodeCall(reader.bytes())
        break
      case 4:
        answer = decodeAnswer(reader.bytes())
        break
      default:
        reader.skip()
    }
  }
  return { callId, call, ...answer }
}

function decodeCall(bytes: Uint8Array): UnaryCall {
  const reader = new ProtobufReader(bytes)
  const call = { peer: new Uint8Array(0) as Uint8Array, method: '', data: new Uint8Array(0) as Uint8Array }
  while (reader.next()) {
    if (reader.field === 1) call.peer = reader.bytes()
    else if (reader.field === 2) call.method = reader.string()
    else if (reader.field === 3) call.data = reader.bytes()
    else reader.skip()
  }
  return call
}

function decodeAnswer(bytes: Uint8Array): Pick<UnaryEnvelope, 'response' | 'error'> {
  const reader = new ProtobufReader(bytes)
  let answer: Pick<UnaryEnvelope, 'response' | 'error'> = {}
  while (reader.next()) {
    if (reader.field === 1) answer = { response: reader.bytes() }
    else if (reader.field === 2) answer = { error: reader.bytes() }
    else reader.skip()
  }
  return answer
}

/** Error frame of a streaming call. */
export const encodeRpcError = (message: string): Uint8Array =>
  new ProtobufWriter().requiredString(1, message).finish()

export function decodeRpcError(bytes: Uint8Array): string {
  const reader = new ProtobufReader(bytes)
  let message = ''
  while (reader.next()) {
    if (reader.field === 1) message = reader.string()
    else reader.skip()
  }
  return message
}
