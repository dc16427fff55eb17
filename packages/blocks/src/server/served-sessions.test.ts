import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { vector } from '../../../petals/fixtures/vectors.ts'
import { inferenceMethod } from '../../../petals/src/inference/inference-methods.ts'
import { createLibp2pTransport } from '../../../petals/src/p2p/libp2p-transport.ts'
import type { SwarmTransport } from '../../../petals/src/p2p/swarm-transport.ts'
import { encodeFrameHeader } from '../../../petals/src/rpc/framing.ts'
import type { RpcClient, RpcStream } from '../../../petals/src/rpc/rpc-client.ts'
import { createRpcClient } from '../../../petals/src/rpc/transport-rpc-client.ts'
import { decodeTensor, encodeTensor } from '../../../petals/src/tensor/codecs/index.ts'
import { emptyTensor, floatTensor, tensorValues } from '../../../petals/src/tensor/tensor.ts'
import { decodeMsgpack } from '../../../petals/src/wire/msgpack-decode.ts'
import { encodeMsgpack } from '../../../petals/src/wire/msgpack-encode.ts'
import { Tuple, type MsgpackInput } from '../../../petals/src/wire/msgpack-values.ts'
import {
  decodeExpertInfo,
  encodeExpertUid,
  type ExpertRequest,
  type ExpertResponse,
  type TensorMessage,
} from '../../../petals/src/wire/runtime.ts'
import { ToyEngine } from '../fixtures/toy-engine.ts'
import { infoFields, schemaFields } from '../sessions/info.ts'
import { startBlockServer, type BlockServer } from './block-server.ts'

const hiddenSize = 16
const model = { dhtPrefix: 'Toy-hf', numBlocks: 4 }
const uid = 'Toy-hf.0 Toy-hf.1'
const limits = {
  sessionsPerPeer: 40,
  streamsPerPeer: 200,
  streams: 300,
  stepTimeoutMs: 1000,
  sessionTimeoutMs: 20_000,
}
let resources = new AsyncDisposableStack()
let engine: ToyEngine
let server: BlockServer
let transport: SwarmTransport
let rpc: RpcClient

beforeEach(async () => {
  server = await serve([])
  engine = engines.at(-1)!
  transport = await newClient()
  rpc = createRpcClient(transport)
})
afterEach(async () => {
  await resources.disposeAsync()
  resources = new AsyncDisposableStack()
})

const engines: ToyEngine[] = []
async function serve(initialPeers: readonly string[], blocks = { start: 0, end: 2 }): Promise<BlockServer> {
  return resources.use(
    await startBlockServer({
      model,
      blocks,
      openEngine: async (range) => {
        const made = new ToyEngine({ ...range, cacheTokens: 400, maxLength: 300, maxBatchTokens: 128 })
        engines.push(made)
        return made
      },
      initialPeers,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      reach: 'direct',
      version: '0.1.0',
      requestMemoryBytes: 8 * 1024 * 1024,
      throughput: { inferenceRps: 1, forwardRps: 1, networkRps: 1, throughput: 1 },
      limits,
    }),
  )
}

async function newClient(): Promise<SwarmTransport> {
  const client = resources.use(await createLibp2pTransport({ connectTimeoutMs: 5000 }))
  await client.connect(server.addresses)
  return client
}

const states = (tokens: number, batch = 1): TensorMessage => {
  const values = Float32Array.from({ length: batch * tokens * hiddenSize }, (_, i) => Math.sin(i))
  return encodeTensor(floatTensor(values, [batch, tokens, hiddenSize]))
}
const none = encodeTensor(emptyTensor('float32'))
const noRows = encodeTensor(emptyTensor('int64'))

const request = (
  metadata: Record<string, MsgpackInput>,
  tensors: readonly TensorMessage[] = [states(1), none, noRows],
  name = uid,
): ExpertRequest => ({ uid: name, tensors, metadata: encodeMsgpack(new Map(Object.entries(metadata))) })

type Stream = RpcStream<ExpertRequest, ExpertResponse>
const open = async (): Promise<Stream> => resources.use(await rpc.openStream(server.peer, inferenceMethod))

/** Opens a session and returns its first answer. */
async function ask(first: ExpertRequest): Promise<ExpertResponse> {
  const stream = await open()
  await stream.send(first)
  return await stream.receive()
}

const valuesOf = ({ tensors }: ExpertResponse): readonly number[] => [
  ...tensorValues(decodeTensor(tensors[0]!)),
]

/** An honest client is served. */
async function expectService(): Promise<void> {
  const { tensors } = await ask(request({ max_length: 4 }))
  expect(tensors[0]!.size).toEqual([1, 1, hiddenSize])
}

describe('wrong requests', () => {
  it.each([
    [
      'unknown blocks',
      request({ max_length: 4 }, undefined, 'Toy-hf.3'),
      'Remote peer does not serve Toy-hf.3',
    ],
    ['no length', request({}), 'rpc_inference metadata must contain int max_length, got None'],
    [
      'a length as text',
      request({ max_length: '4' }),
      'rpc_inference metadata must contain int max_length, got 4',
    ],
    ['a long session', request({ max_length: 9000 }), 'Cannot allocate KV cache for 9000 tokens, max = 300'],
    ['a negative length', request({ max_length: -1 }), 'Cannot allocate KV cache for -1 tokens, max = 300'],
    ['points of nil', request({ max_length: 4, points: null }), /number of points as a number or None/],
    ['an adapter', request({ max_length: 4, active_adapter: 'x/y' }), "'adapter x/y not found'"],
    ['two tensors', request({ max_length: 4 }, [states(1), none]), /not enough values to unpack/],
    [
      'row ids of floats',
      request({ max_length: 4 }, [states(1), none, none]),
      'hypo ids must be int64, got float32',
    ],
    [
      'too many tokens',
      request({ max_length: 4 }, [states(5), none, noRows]),
      /^Maximum length exceeded: prefix 0 \+ current 5 exceeds pre-allocated maximum 4/,
    ],
    [
      'a huge batch',
      request({ max_length: 0 }, [{ ...states(0), size: [4e9, 0, 16] }, none, noRows]),
      /^Task size greater than max_batch_size \(128\)/,
    ],
    [
      'more tokens than a pass has',
      request({ max_length: 200 }, [states(129), none, noRows]),
      /^Task size greater than max_batch_size \(128\)/,
    ],
    [
      'states of another size',
      request({ max_length: 4 }, [encodeTensor(floatTensor(new Float32Array(8), [1, 1, 8])), none, noRows]),
      /hidden states have the shape \[1, 1, 8\]/,
    ],
    [
      'fewer bytes than the shape says',
      request({ max_length: 4 }, [{ ...states(1), buffer: new Uint8Array(4) }, none, noRows]),
      /has 4 bytes instead of 64/,
    ],
    [
      'an unknown compression',
      request({ max_length: 4 }, [{ ...states(1), compression: 77 }, none, noRows]),
      'Unknown tensor compression 77.',
    ],
    [
      'prompts for other blocks',
      request({ max_length: 4 }, [
        states(1),
        encodeTensor(floatTensor(new Float32Array(48), [3, 1, 1, 16])),
        noRows,
      ]),
      'Received 3 prompts for 2 backends',
    ],
    ['a gap', request({ max_length: 4, start_from_position: 2 }), 'prefix_length=0, start_from_position=2'],
    [
      'metadata that is no map',
      { ...request({}), metadata: encodeMsgpack([1]) },
      'The metadata of a request must be a map.',
    ],
    [
      'endless metadata',
      request({ max_length: 4, padding: new Uint8Array(70_000) }),
      'The metadata of a request has more than 65536 bytes.',
    ],
    ['metadata that is no msgpack', { ...request({}), metadata: Uint8Array.of(0xc1, 1, 2) }, /msgpack/],
  ])('%s: the error says what was wrong, and the server goes on', async (_, wrong, message) => {
    await expect(ask(wrong)).rejects.toMatchObject({
      remoteMessage: expect.stringMatching(message instanceof RegExp ? message : literal(message)),
    })
    await expect.poll(() => engine.caches.size).toBe(0)
    await expectService()
  })

  const literal = (text: string): RegExp => new RegExp(`^${text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&')}$`)

  it('a frame that announces a terabyte ends the call; one that never comes ends it in time', async () => {
    for (const header of [
      encodeFrameHeader({ marker: 0, length: 2 ** 40 }),
      Uint8Array.of(7, 0, 0, 0, 0, 0, 0, 0, 1),
    ]) {
      await using stream = await transport.openStream(server.peer, inferenceMethod.name)
      await stream.write(header)
      expect((await stream.read(9))[0]).toBe(1)
    }
    await using silent = await transport.openStream(server.peer, inferenceMethod.name)
    await silent.write(encodeFrameHeader({ marker: 0, length: 20_000 }))
    await expect(silent.read(1)).rejects.toThrow()
    await expectService()
    expect(server.status().load.requestBytes).toBe(0)
  })

  it('answers Python trainers in words, in both forms', async () => {
    const method = { ...inferenceMethod, name: 'TransformerConnectionHandler.rpc_backward' }
    await expect(rpc.unary(server.peer, method, request({}))).rejects.toThrow(
      /RuntimeError\('This server computes no gradients/,
    )
    const stream = resources.use(
      await rpc.openStream(server.peer, { ...method, name: `${method.name}_stream` }),
    )
    await expect(stream.receive()).rejects.toThrow(/allowed_servers/)
  })
})

describe('sessions', () => {
  it('step, rewind, and skip a step that arrives twice', async () => {
    const stream = await open()
    await stream.send(request({ max_length: 10, step_id: 'a' }, [states(2), none, noRows]))
    await stream.receive()
    await stream.send(request({ step_id: 'b' }))
    const second = valuesOf(await stream.receive())
    await stream.send(request({ step_id: 'b' }))
    await stream.send(request({ step_id: 'c' }))
    expect(valuesOf(await stream.receive())).not.toEqual(second) // the third token, not the second again
    await stream.send(request({ step_id: 'd', start_from_position: 2 }))
    expect(valuesOf(await stream.receive())).toEqual(second)
    await stream.send(request({}, []))
    await stream.end()
    await expect(stream.receive()).rejects.toMatchObject({ clean: true })
    await expect.poll(() => engine.used).toBe(0)
  })

  it('free their cache when the client leaves, also while they wait and while they compute', async () => {
    engine.stepMs = 200
    const streams = await Promise.all(Array.from({ length: 8 }, open))
    await Promise.all(streams.map((stream) => stream.send(request({ max_length: 100, alloc_timeout: 60 }))))
    await expect.poll(() => engine.caches.size).toBe(4)
    for (const stream of streams) stream.abort(new Error('left'))
    await expect.poll(() => engine.caches.size).toBe(0)
    expect(engine.used).toBe(0)
    await expect.poll(() => server.status().activity.sessions).toBe(0)
  })

  it('wait for room as long as the client allows, and say when there is none', async () => {
    const big = request({ max_length: 300 })
    const holder = await open()
    await holder.send(big)
    await holder.receive()
    await expect(ask(big)).rejects.toMatchObject({
      remoteMessage: 'Could not allocate 300 tokens immediately: out of memory',
    })
    await expect(ask(request({ max_length: 300, alloc_timeout: 0.2 }))).rejects.toMatchObject({
      remoteMessage: 'Could not allocate 300 tokens within 0.2 seconds',
    })
    await expect(ask(request({ max_length: 300 }, [states(1, 2), none, noRows]))).rejects.toMatchObject({
      remoteMessage: 'Could not allocate 600 tokens, max cache size = 400 tokens',
    })
    const waiting = ask(request({ max_length: 300, alloc_timeout: 30 }))
    await delay(50)
    await holder[Symbol.asyncDispose]()
    expect((await waiting).tensors).toHaveLength(1)
  })

  it('end after the timeout of a step without an error, and have unique ids', async () => {
    const stream = await open()
    await stream.send(request({ max_length: 4, session_id: 'same' }))
    await stream.receive()
    await expect(ask(request({ max_length: 4, session_id: 'same' }))).rejects.toThrow(
      /session id same is not unique/,
    )
    await expect(stream.receive()).rejects.toMatchObject({ clean: true })
    expect(engine.used).toBe(0)
  })

  it('are limited for each peer, and those of others are served', async () => {
    const streams = await Promise.all(Array.from({ length: 60 }, open))
    const answers = await Promise.allSettled(
      streams.map(async (stream) => {
        await stream.send(request({ max_length: 1 }))
        return await stream.receive()
      }),
    )
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(limits.sessionsPerPeer)
    rpc = createRpcClient(await newClient())
    await expectService()
  })

  it('take pushes that are more than half of what their sender may have in memory', async () => {
    const stream = await open()
    await stream.send(request({ max_length: 4, session_id: 'pushed' }))
    await stream.receive()
    const long = encodeTensor(floatTensor(new Float32Array(750_000), [1, 750_000 / hiddenSize, hiddenSize]))
    const push = { ...inferenceMethod, name: 'TransformerConnectionHandler.rpc_push' }
    await rpc.unary(server.peer, push, request({ session_id: 'pushed' }, [long, none, noRows]))
    await expect(stream.receive()).rejects.toThrow(/Maximum length exceeded/)
    await expect.poll(() => server.status().load.requestBytes).toBe(0)
  })

  it('read only some requests ahead of a slow engine', async () => {
    engine.stepMs = 300
    const stream = await open()
    await stream.send(request({ max_length: 300 }))
    const flood = (async () => {
      for (let i = 0; i < 100; i++) await stream.send(request({}, [states(100), none, noRows]))
    })()
    flood.catch(() => {})
    await delay(600)
    const { requestBytes } = server.status().load
    expect(requestBytes).toBeLessThan(10 * 100 * hiddenSize * 4)
    stream.abort(new Error('done'))
    await expect.poll(() => server.status().load.requestBytes).toBe(0)
  })
})

describe('a chain of servers', () => {
  it.each(['in each step', 'in the first request'])(
    'pushes outputs to the next server, which is named %s',
    async (where) => {
      const next = await serve(server.addresses, { start: 2, end: 4 })
      const last = resources.use(await rpc.openStream(next.peer, inferenceMethod))
      const first = await open()
      const chain = { next_servers: [new Tuple([next.peer, 'second', 2, 4])] }
      const empty = [states(0), none, noRows]
      await last.send(request({ max_length: 9, session_id: 'second' }, empty, 'Toy-hf.2 Toy-hf.3'))
      await last.receive()
      const inFirst = where === 'in the first request'
      await first.send(request({ max_length: 9, session_id: 'first', ...(inFirst ? chain : {}) }, empty))
      await first.receive()
      if (inFirst) await last.receive() // the empty step was pushed, too
      await first.send(request({ step_id: 's', ...(inFirst ? {} : chain) }, [states(3), none, noRows]))
      const between = await first.receive()
      const pushed = valuesOf(await last.receive())
      if (!inFirst) await last.send(request({ step_id: 's' }, [between.tensors[0]!, none, noRows])) // too late: skipped
      await last.send(request({ step_id: 't', start_from_position: 0 }, [between.tensors[0]!, none, noRows]))
      expect(valuesOf(await last.receive())).toEqual(pushed)
    },
  )
})

describe('a pass without a session', () => {
  it('in parts ends when its caller leaves', async () => {
    engine.stepMs = 300
    const method = { ...inferenceMethod, name: 'TransformerConnectionHandler.rpc_forward_stream' }
    const stream = resources.use(await rpc.openStream(server.peer, method))
    await stream.send(request({}, [states(2), none]))
    await stream.end()
    await expect.poll(() => server.status().activity.sessions).toBe(1)
    stream.abort(new Error('left'))
    await expect.poll(() => server.status().activity.sessions).toBe(0)
    expect(engine.steps).toBe(0)
  })
})

describe('what a server tells', () => {
  it('has the bytes of hivemind in rpc_info', () => {
    const fields = infoFields({ version: '2.2.0.post1', dhtClientMode: false, cacheTokensAvailable: 8192 })
    for (const [name, value] of schemaFields(576, 'float32')) fields.set(name, value)
    expect(Buffer.from(encodeMsgpack(fields)).toString('hex')).toBe(
      vector('rpc_info/response').serialized_info_hex,
    )
  })

  it('tells its limits, and what is free', async () => {
    const method = {
      name: 'TransformerConnectionHandler.rpc_info',
      encodeRequest: encodeExpertUid,
      decodeResponse: (bytes: Uint8Array) =>
        decodeMsgpack(decodeExpertInfo(bytes)) as ReadonlyMap<string, unknown>,
    }
    const info = await rpc.unary(server.peer, method, 'Toy-hf.1')
    expect(info.get('cache_tokens_available')).toBe(800)
    expect(info.get('max_batch_size')).toBe(128)
    expect(info.get('inference_max_length')).toBe(300)
    expect(info.get('version')).toMatch(/^2\.3\.0\.dev2\+petals\.chat\.0\.1\.0$/)
    await expect(rpc.unary(server.peer, method, 'Toy-hf.2')).rejects.toThrow(/does not serve/)
  })
})

describe('the end of a server', () => {
  it('announces it, refuses new sessions, and lets open ones finish', async () => {
    const stream = await open()
    await stream.send(request({ max_length: 4 }))
    await stream.receive()
    const drained = server.drain({ timeoutMs: 10_000 })
    await expect.poll(() => server.status().state).toBe('draining')
    await expect(ask(request({ max_length: 4 }))).rejects.toThrow(/Remote peer does not serve/)
    await stream.send(request({}))
    await stream.receive()
    await stream.send(request({}, []))
    await drained
    await server[Symbol.asyncDispose]()
    expect(engine.disposed).toBe(true)
  })
})
