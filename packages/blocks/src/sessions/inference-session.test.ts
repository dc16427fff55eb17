import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import type { RpcClient } from '../../../petals/src/rpc/rpc-client.ts'
import { encodeTensor } from '../../../petals/src/tensor/codecs/index.ts'
import { emptyTensor, floatTensor } from '../../../petals/src/tensor/tensor.ts'
import { encodeMsgpack } from '../../../petals/src/wire/msgpack-encode.ts'
import type { MsgpackInput } from '../../../petals/src/wire/msgpack-values.ts'
import { encodeExpertRequest } from '../../../petals/src/wire/runtime.ts'
import { silentLogger } from '@petals-chat/engine'
import type { PeerId, ServedCall } from '@petals-chat/petals/protocol'
import { ToyEngine } from '../fixtures/toy-engine.ts'
import { defaultServingLimits, type ServingHost, type ServingLimits } from './host.ts'
import { serveInference } from './inference-session.ts'
import { createPusher } from './push.ts'
import { SessionTable } from './session-table.ts'

const engine = new ToyEngine({ start: 0, end: 2, hiddenSize: 16 })
const range = { start: 0, end: 2 }

function hostWith(limits: Partial<ServingLimits>): ServingHost {
  return {
    dhtPrefix: 'Toy-hf',
    adapters: [],
    limits: { ...defaultServingLimits, ...limits },
    observer: { opened: () => {}, computed: () => {}, closed: () => {} },
    blocks: () => ({ engine, range }),
    originOf: (peer) => peer,
    acceptsSessions: () => true,
  }
}

const stepOf = (tokens: number, metadata: Record<string, MsgpackInput> = {}): Uint8Array =>
  Uint8Array.from(
    encodeExpertRequest({
      uid: 'Toy-hf.0 Toy-hf.1',
      tensors: [
        encodeTensor(floatTensor(new Float32Array(tokens * 16), [1, tokens, 16])),
        encodeTensor(emptyTensor('float32')),
        encodeTensor(emptyTensor('int64')),
      ],
      metadata: encodeMsgpack(new Map(Object.entries(metadata))),
    }),
  )

/** A client whose requests are what `next` returns; it never leaves. */
class Client implements ServedCall {
  readonly remote = 'peer' as PeerId
  answers = 0
  readonly #next: () => Promise<Uint8Array>

  constructor(next: () => Promise<Uint8Array>) {
    this.#next = next
  }

  async next() {
    return { payload: await this.#next(), release: () => {} }
  }

  async respond(): Promise<void> {
    this.answers++
  }
}

const serve = (client: Client, limits: Partial<ServingLimits> = {}): Promise<void> => {
  const host = hostWith(limits)
  return serveInference(client, { host, table: new SessionTable(host.limits), push: () => {} })
}

describe('a session', () => {
  it('ends after its time, though its client goes on to send requests', async () => {
    const client = new Client(async () => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      return stepOf(0, { max_length: 4 })
    })
    await expect(serve(client, { sessionTimeoutMs: 200 })).rejects.toMatchObject({ python: 'TimeoutError' })
    expect(client.answers).toBeGreaterThan(0)
    expect(engine.used).toBe(0)
  })

  it('ends after its time while it waits for a request', async () => {
    let sent = 0
    const client = new Client(() =>
      sent++ === 0 ? Promise.resolve(stepOf(1, { max_length: 4 })) : new Promise(() => {}),
    )
    await expect(serve(client, { sessionTimeoutMs: 100 })).rejects.toMatchObject({ python: 'TimeoutError' })
    expect(client.answers).toBe(1)
    expect(engine.used).toBe(0)
  })

  it('lets a prompt go once it is answered', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const payloads: WeakRef<ArrayBufferLike>[] = []
    const end = Promise.withResolvers<never>()
    const client = new Client(async () => {
      if (payloads.length > 0) return await end.promise
      const payload = stepOf(1000, { max_length: 1000 })
      payloads.push(new WeakRef(payload.buffer))
      return payload
    })
    const served = serve(client)
    await expect.poll(() => client.answers).toBe(1)
    await expect
      .poll(() => {
        collect()
        return payloads[0]!.deref()
      })
      .toBeUndefined()
    expect(engine.used).toBe(1000)
    end.reject(new Error('left'))
    await expect(served).rejects.toThrow('left')
  })
})

describe('pushes to a server that does not answer', () => {
  it('hold a limited memory: later ones are dropped', () => {
    let calls = 0
    const unary = (): Promise<never> => {
      calls++
      return new Promise(() => {})
    }
    const rpc = { unary } as unknown as RpcClient
    const push = createPusher({ rpc, dhtPrefix: 'Toy-hf', logger: silentLogger, maxBytes: 10_000 })
    const peer = '12D3KooWGRUaBfjMk7Vj2HGvrSRT9Lv9ENWRzKpmoNoCgYmHTUVm'
    const metadata = new Map([['next_servers', [[peer, 'session', 2, 4]]]])
    const tensor = encodeTensor(floatTensor(new Float32Array(512), [1, 32, 16]))
    for (let i = 0; i < 50; i++) push([tensor], metadata, metadata)
    expect(calls).toBe(4)
  })
})
