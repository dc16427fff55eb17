import { inferenceMethod } from '../../../petals/src/inference/inference-methods.ts'
import { createLibp2pTransport } from '../../../petals/src/p2p/libp2p-transport.ts'
import type { PeerId } from '../../../petals/src/p2p/peer-id.ts'
import type { ByteStream, SwarmTransport } from '../../../petals/src/p2p/swarm-transport.ts'
import type { RpcClient, RpcStream } from '../../../petals/src/rpc/rpc-client.ts'
import { createRpcClient } from '../../../petals/src/rpc/transport-rpc-client.ts'
import { decodeTensor, encodeTensor } from '../../../petals/src/tensor/codecs/index.ts'
import { emptyTensor, floatTensor, tensorValues } from '../../../petals/src/tensor/tensor.ts'
import { encodeMsgpack } from '../../../petals/src/wire/msgpack-encode.ts'
import type { MsgpackInput } from '../../../petals/src/wire/msgpack-values.ts'
import type { ExpertRequest, ExpertResponse, TensorMessage } from '../../../petals/src/wire/runtime.ts'
import { randomStates } from './tiny-model.ts'

/** "No prompts" and "no reordering", as every request of Petals' clients has them. */
export const noPrompts: TensorMessage = encodeTensor(emptyTensor('float32'))
export const noRows: TensorMessage = encodeTensor(emptyTensor('int64'))

/** Requests to the blocks of one model. */
export class Requests {
  readonly uid: string
  readonly hiddenSize: number

  constructor(uid: string, hiddenSize: number) {
    this.uid = uid
    this.hiddenSize = hiddenSize
  }

  /** Hidden states `[batch, tokens, hidden]`; another seed gives others. */
  states(tokens: number, { batch = 1, seed = 0 } = {}): TensorMessage {
    const values = randomStates(seed, batch * tokens * this.hiddenSize)
    return encodeTensor(floatTensor(values, [batch, tokens, this.hiddenSize]))
  }

  of(
    metadata: Readonly<Record<string, MsgpackInput>>,
    tensors: readonly TensorMessage[] = [this.states(1), noPrompts, noRows],
    uid = this.uid,
  ): ExpertRequest {
    return { uid, tensors, metadata: encodeMsgpack(new Map(Object.entries(metadata))) }
  }
}

export const outputsOf = ({ tensors }: ExpertResponse): Float32Array =>
  tensorValues(decodeTensor(tensors[0]!))

export type SessionStream = RpcStream<ExpertRequest, ExpertResponse>

/** A peer of its own that talks to one server, by any rules. */
export class SessionClient implements AsyncDisposable {
  readonly server: PeerId
  readonly transport: SwarmTransport
  readonly rpc: RpcClient

  private constructor(transport: SwarmTransport, server: PeerId) {
    this.transport = transport
    this.server = server
    this.rpc = createRpcClient(transport)
  }

  static async connect(addresses: readonly string[]): Promise<SessionClient> {
    const transport = await createLibp2pTransport({ connectTimeoutMs: 20_000 })
    await transport.connect(addresses)
    return new SessionClient(transport, addresses[0]!.split('/p2p/').at(-1)! as PeerId)
  }

  /** Opens a stream for a session. */
  open(): Promise<SessionStream> {
    return this.rpc.openStream(this.server, inferenceMethod)
  }

  /** The same, for any bytes. */
  raw(): Promise<ByteStream> {
    return this.transport.openStream(this.server, inferenceMethod.name)
  }

  /** Opens a session with this request, and returns its first answer. Then the session ends. */
  async ask(first: ExpertRequest): Promise<ExpertResponse> {
    await using session = await this.open()
    await session.send(first)
    return await session.receive()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.transport[Symbol.asyncDispose]()
  }
}
