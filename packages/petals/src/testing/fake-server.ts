import { setTimeout as delay } from 'node:timers/promises'
import { findMethod, pingMethod } from '../dht/dht-methods.ts'
import { inferenceMethod } from '../inference/inference-methods.ts'
import { parsePeerId, type PeerId } from '../p2p/peer-id.ts'
import type { TestPeer } from '../p2p/testing/test-peer.ts'
import { callUnary } from '../rpc/unary-call.ts'
import { decodeTensor, encodeTensor, type Compression } from '../tensor/codecs/index.ts'
import type { FloatDtype } from '../tensor/dtype.ts'
import { floatTensor, tensorValues } from '../tensor/tensor.ts'
import { encodeMsgpack } from '../wire/msgpack-encode.ts'
import { Float, Tuple, type MsgpackInput, type MsgpackValue } from '../wire/msgpack-values.ts'
import {
  decodeExpertRequest,
  encodeExpertInfo,
  encodeExpertRequest,
  encodeExpertResponse,
  type ExpertRequest,
  type TensorMessage,
} from '../wire/runtime.ts'
import { DhtNode, unixSeconds } from './dht-node.ts'
import { metadataOf, SessionArrivals, type Arrival, type Fields } from './session-arrivals.ts'
import { serveStream, serveUnary, silence, type ServedCall } from './rpc-server.ts'
import { runToyBlocks, toyBlocks } from './toy-block.ts'

export interface FakeServerOptions {
  readonly dhtPrefix: string
  readonly start: number
  readonly end: number
  readonly hiddenSize: number
  readonly dtype?: FloatDtype
  /** What it announces of its weights. */
  readonly quantType?: string
  /** Compression of responses. */
  readonly compression?: Compression
  /** Honour start_from_position, and the next_servers of each step, as servers newer than 2.2 do. */
  readonly modern?: boolean
  readonly version?: string
  /** `inference_max_length`. */
  readonly maxSessionLength?: number
  /** `max_batch_size`: tokens of one request. */
  readonly maxRequestTokens?: number
  /** Free tokens of all blocks together: a session takes its length times the number of blocks. */
  readonly cacheTokens?: number
  readonly sessionTimeoutMs?: number
  readonly stepTimeoutMs?: number
  /** Returns the duration of a step with this number of tokens. */
  readonly stepMs?: (tokens: number) => number
  readonly inferenceRps?: number
  readonly adapters?: readonly string[]
}

/** Fields of an announcement besides the options. */
export interface Announcement {
  readonly state?: number
  readonly nextPings?: Readonly<Record<string, number>>
  readonly cacheTokensLeft?: number
}

/** A step just before its response. */
export interface FakeStep {
  /** Counts steps with tokens on this server, over all sessions. */
  readonly index: number
  readonly position: number
  readonly tokens: number
  /** Bytes of the correct ExpertResponse. */
  readonly response: Uint8Array
  readonly call: ServedCall
}

const pushMethodName = 'TransformerConnectionHandler.rpc_push'
const infoMethodName = 'TransformerConnectionHandler.rpc_info'

/**
 * A Petals server over toy blocks, on a real libp2p peer. Its handler, KV cache accounting, timeouts, push and error texts
 * follow `petals/server/handler.py`. Tests can make it fail, or send wrong responses, at any step.
 */
export class FakeServer implements AsyncDisposable {
  readonly peer: TestPeer
  readonly dht: DhtNode
  /** Called for every step with tokens before its response. Returns true if the server must not respond. */
  intercept: (step: FakeStep) => Promise<boolean> | boolean = () => false
  /** Returns the error with which it refuses a session of this length; undefined: it does not refuse. */
  refusal: (maxLength: number) => string | undefined = () => undefined
  /** Changes the values of a step's outputs, of these positions, before they are sent to the client or pushed. */
  lie: (values: Float32Array, position: number) => void = () => {}
  /** Changes the values that are pushed to the next server, but not those that the client is told. */
  lieToNext: (values: Float32Array) => void = () => {}
  /** Do not answer any further request, like a stopped process. */
  hung = false
  /** It was not ended. */
  runs = true
  stepCount = 0
  /** Number of steps with tokens that arrived by rpc_push. */
  pushCount = 0
  openSessions = 0
  sessionsEver = 0
  allocatedTokens = 0
  readonly requestedLengths: number[] = []
  #options: FakeServerOptions
  readonly #pushes = new Map<string, (arrival: Arrival) => void>()

  static async start(options: FakeServerOptions, peer: TestPeer): Promise<FakeServer> {
    const server = new FakeServer(options, peer, await DhtNode.serve(peer))
    await server.#serve()
    return server
  }

  private constructor(options: FakeServerOptions, peer: TestPeer, dht: DhtNode) {
    this.#options = options
    this.peer = peer
    this.dht = dht
  }

  get id(): PeerId {
    return this.peer.id
  }

  /** Stores its announcement at `nodes` of the DHT. */
  announce(
    nodes: readonly DhtNode[],
    { state = 2, nextPings = {}, cacheTokensLeft }: Announcement = {},
  ): void {
    const {
      dhtPrefix,
      start,
      end,
      dtype = 'float32',
      quantType,
      version,
      inferenceRps = 100,
      adapters = [],
    } = this.#options
    const extra = new Map<string, MsgpackInput>([
      ['start_block', start],
      ['end_block', end],
      ['version', version ?? (this.#options.modern ? '2.3.0.dev2' : '2.2.0.post1')],
      ['inference_rps', new Float(inferenceRps)],
      ['torch_dtype', dtype],
      ['quant_type', quantType ?? null],
      ['adapters', new Tuple(adapters)],
      ['using_relay', false],
      ['cache_tokens_left', cacheTokensLeft ?? null],
      ['next_pings', new Map(Object.entries(nextPings))],
    ])
    const record = new Tuple([state, new Float(100), extra])
    for (const node of nodes) {
      for (let block = start; block < end; block++)
        node.store(`${dhtPrefix}.${block}`, this.id, record, unixSeconds() + 240)
    }
  }

  /** Like a restart with other options. */
  restartAs(changed: Pick<FakeServerOptions, 'dtype' | 'quantType'>): void {
    this.#options = { ...this.#options, ...changed }
    this.peer.cutConnections()
  }

  /** Like kill -9 of the process: its connections break, and no process listens at its address. */
  async kill(): Promise<void> {
    this.runs = false
    this.peer.cutConnections()
    await this.peer[Symbol.asyncDispose]()
  }

  /** Like kill -9 of the server alone: its p2pd runs for another half minute, and refuses every protocol. */
  async endBehindItsDaemon(): Promise<void> {
    this.runs = false
    const served = [pingMethod.name, findMethod.name, inferenceMethod.name, pushMethodName, infoMethodName]
    await Promise.all(served.map((protocol) => this.peer.unhandle(protocol)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }

  async #serve(): Promise<void> {
    await serveStream(this.peer, inferenceMethod.name, (call) => this.#infer(call))
    await serveUnary(this.peer, pushMethodName, async (data) => {
      const request = decodeExpertRequest(data)
      const metadata = metadataOf(request)
      this.#pushes.get(String(metadata.get('session_id')))?.({ request, metadata })
      return encodeExpertResponse({ tensors: [], metadata: new Uint8Array(0) })
    })
    await serveUnary(this.peer, infoMethodName, async () => {
      const info = new Map<string, MsgpackInput>([
        ['version', '2.2.0.post1'],
        ['cache_tokens_available', (this.#options.cacheTokens ?? 1e6) - this.allocatedTokens],
      ])
      return encodeExpertInfo(encodeMsgpack(info))
    })
  }

  async #infer(call: ServedCall): Promise<void> {
    if (this.hung) await silence()
    const first = await call.next()
    if (!first) return
    const request = decodeExpertRequest(first)
    const metadata = metadataOf(request)
    const blocks = this.#checkUids(request.uid)
    const maxLength = this.#checkLength(metadata.get('max_length'))
    const refusal = this.refusal(maxLength)
    if (refusal !== undefined) throw new Error(refusal)
    this.#checkAdapter(metadata.get('active_adapter'))
    const size = maxLength * blocks.length
    await this.#allocate(size, maxLength, Number(metadata.get('alloc_timeout') ?? 0))
    const arrivals = new SessionArrivals(call, { request, metadata }, this.#options.stepTimeoutMs)
    const sessionId = String(metadata.get('session_id'))
    this.#pushes.set(sessionId, (arrival) => arrivals.add(arrival))
    try {
      const { sessionTimeoutMs } = this.#options
      const ending =
        sessionTimeoutMs === undefined
          ? silence()
          : new Promise<'timeout'>((r) => setTimeout(r, sessionTimeoutMs, 'timeout'))
      const ended = await Promise.race([
        this.#session(call, arrivals, { request, metadata }, blocks, maxLength),
        ending,
        arrivals.cancelled,
      ])
      if (ended === 'timeout') throw new Error('')
    } finally {
      this.#pushes.delete(sessionId)
      this.openSessions--
      this.allocatedTokens -= size
    }
  }

  async #session(
    call: ServedCall,
    arrivals: SessionArrivals,
    first: Arrival,
    blockIndices: readonly number[],
    maxLength: number,
  ): Promise<void> {
    const { hiddenSize, modern = false } = this.#options
    const blocks = toyBlocks(blockIndices[0]!, blockIndices.at(-1)! + 1, hiddenSize)
    const seen = new Set<MsgpackValue>()
    let position = 0
    for (let arrival = await arrivals.next(); arrival; arrival = await arrivals.next()) {
      const { request, metadata } = arrival
      if (request.tensors.length === 0) return
      const stepId = metadata.get('step_id')
      if (stepId !== undefined && seen.has(stepId)) continue
      if (stepId !== undefined) seen.add(stepId)
      if (modern && metadata.has('start_from_position'))
        position = Number(metadata.get('start_from_position'))
      const [output, tokens] = await this.#step(request, blocks, position, maxLength)
      const response = encodeExpertResponse({ tensors: [output], metadata: new Uint8Array(0) })
      const pushing = modern ? metadata : first.metadata
      void this.#push(output, first.request, pushing).catch(() => {})
      if (metadata.get('pushed') && tokens > 0) this.pushCount++
      const step = { index: this.stepCount, position, tokens, response, call }
      if (tokens > 0) this.stepCount++
      position += tokens
      if (this.hung) await silence()
      if (tokens === 0 || !(await this.intercept(step))) await call.respond(response)
    }
  }

  async #step(
    request: ExpertRequest,
    blocks: ReturnType<typeof toyBlocks>,
    position: number,
    maxLength: number,
  ): Promise<readonly [TensorMessage, number]> {
    const { hiddenSize, dtype = 'float32', compression = 0, stepMs, maxRequestTokens = 8192 } = this.#options
    const [hidden, , hypoIds] = request.tensors
    if (!hidden || !hypoIds) throw new Error('not enough values to unpack (expected at least 3)')
    if (hypoIds.dtype !== 'int64') throw new Error(`hypo ids must be int64, got ${hypoIds.dtype}`)
    const tokens = hidden.size[1]!
    if (position + tokens > maxLength) {
      const what = `prefix ${position} + current ${tokens} exceeds pre-allocated maximum ${maxLength}`
      throw new Error(`Maximum length exceeded: ${what}`)
    }
    if (tokens > maxRequestTokens) {
      throw new Error(`Task size greater than max_batch_size (${maxRequestTokens}), it can't be processed`)
    }
    if (stepMs && tokens > 0) await new Promise((resolve) => setTimeout(resolve, stepMs(tokens)))
    const inputs = tensorValues(decodeTensor(hidden))
    // The errors of numpy and math if hivemind's QUANTILE_8BIT and UNIFORM_8BIT get no values.
    if (tokens === 0 && compression === 3) throw new Error('index -1 is out of bounds for axis 0 with size 0')
    if (tokens === 0 && compression === 4) throw new Error('math domain error')
    const outputs = runToyBlocks(blocks, inputs, hiddenSize, position, dtype)
    this.lie(outputs, position)
    return [encodeTensor(floatTensor(outputs, [1, tokens, hiddenSize], dtype), compression), tokens]
  }

  async #push(output: TensorMessage, firstRequest: ExpertRequest, metadata: Fields): Promise<void> {
    const nextServers = metadata.get('next_servers') as
      readonly (readonly [string, string, number, number])[] | undefined
    const [next] = nextServers ?? []
    if (!next) return
    const [peer, sessionId, start, end] = next
    const uid = Array.from({ length: end - start }, (_, i) => `${this.#options.dhtPrefix}.${start + i}`).join(
      ' ',
    )
    const passedOn = new Map<MsgpackInput, MsgpackInput>(metadata as ReadonlyMap<MsgpackInput, MsgpackInput>)
    passedOn.set('session_id', sessionId).set('pushed', true)
    passedOn.set(
      'next_servers',
      nextServers!.slice(1).map((server) => new Tuple(server)),
    )
    const values = tensorValues(decodeTensor(output)).slice()
    this.lieToNext(values)
    const pushed = encodeTensor(floatTensor(values, output.size, output.dtype as FloatDtype))
    const request = {
      uid,
      tensors: [pushed, ...firstRequest.tensors.slice(1)],
      metadata: encodeMsgpack(passedOn),
    }
    const method = { name: pushMethodName, encodeRequest: encodeExpertRequest, decodeResponse: () => {} }
    await callUnary(this.peer, parsePeerId(peer), method, request)
  }

  #checkUids(uid: string): readonly number[] {
    const { dhtPrefix, start, end } = this.#options
    return uid.split(' ').map((name) => {
      const block = Number(name.slice(dhtPrefix.length + 1))
      if (!name.startsWith(`${dhtPrefix}.`) || block < start || block >= end)
        throw new Error(`Remote peer does not serve ${name}`)
      return block
    })
  }

  #checkLength(maxLength: MsgpackValue | undefined): number {
    if (typeof maxLength !== 'number' || !Number.isInteger(maxLength)) {
      throw new Error(`rpc_inference metadata must contain int max_length, got ${maxLength}`)
    }
    const { maxSessionLength = 8192 } = this.#options
    this.requestedLengths.push(maxLength)
    if (maxLength > maxSessionLength) {
      throw new Error(`Cannot allocate KV cache for ${maxLength} tokens, max = ${maxSessionLength}`)
    }
    return maxLength
  }

  #checkAdapter(adapter: MsgpackValue | undefined): void {
    if (typeof adapter === 'string' && !this.#options.adapters?.includes(adapter))
      throw new Error(`adapter ${adapter} not found`)
  }

  async #allocate(size: number, maxLength: number, timeoutSeconds: number): Promise<void> {
    const endsAt = performance.now() + timeoutSeconds * 1000
    while (this.allocatedTokens + size > (this.#options.cacheTokens ?? Infinity)) {
      if (performance.now() < endsAt) await delay(5)
      else throw new Error(`Could not allocate ${maxLength} bytes immediately: out of memory`)
    }
    this.allocatedTokens += size
    this.openSessions++
    this.sessionsEver++
  }
}
