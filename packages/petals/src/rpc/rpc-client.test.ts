import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ProtocolError } from '../errors.ts'
import { createLibp2pTransport } from '../p2p/libp2p-transport.ts'
import type { SwarmTransport } from '../p2p/swarm-transport.ts'
import { TestPeer } from '../p2p/testing/test-peer.ts'
import { serveStream, serveUnary, silence } from '../testing/rpc-server.ts'
import { encodeUnaryEnvelope } from '../wire/p2pd.ts'
import { lengthPrefixed, readLengthPrefixed } from '../wire/varint.ts'
import { encodeFrameHeader } from './framing.ts'
import type { RpcClient, RpcMethod } from './rpc-client.ts'
import { createRpcClient } from './transport-rpc-client.ts'

const method: RpcMethod<string, string> = {
  name: 'Test.method',
  encodeRequest: (text) => Buffer.from(text),
  decodeResponse(bytes) {
    const text = Buffer.from(bytes).toString()
    if (text === 'nonsense') throw new ProtocolError('It makes no sense.')
    return text
  },
}

let resources: AsyncDisposableStack
let server: TestPeer
let transport: SwarmTransport
let rpc: RpcClient

beforeEach(async () => {
  resources = new AsyncDisposableStack()
  server = resources.use(await TestPeer.start())
  transport = resources.use(await createLibp2pTransport({ connectTimeoutMs: 5000 }))
  await transport.connect([server.address])
  rpc = createRpcClient(transport)
})
afterEach(() => resources.disposeAsync())

describe('unary', () => {
  const call = (text: string, timeoutMs = 5000): Promise<string> =>
    rpc.unary(server.id, method, text, { timeoutMs })

  it('returns the answer to a request', async () => {
    await serveUnary(server, method.name, async (data) => Buffer.from(`${Buffer.from(data)}!`))
    await expect(call('hello')).resolves.toBe('hello!')
  })

  it('supports an empty request and an empty answer', async () => {
    await serveUnary(server, method.name, async (data) => data)
    await expect(call('')).resolves.toBe('')
  })

  it("the handler's exception is an RpcError", async () => {
    await serveUnary(server, method.name, () => Promise.reject(new Error("KeyError('nope')")))
    await expect(call('x')).rejects.toMatchObject({
      name: 'RpcError',
      remoteMessage: "KeyError('nope')",
      method: method.name,
      peer: server.id,
    })
  })

  it('a megabyte of error text is truncated', async () => {
    await serveUnary(server, method.name, () => Promise.reject(new Error('x'.repeat(1_000_000))))
    await expect(call('x')).rejects.toMatchObject({ name: 'RpcError', remoteMessage: 'x'.repeat(1000) })
  })

  it('a silent server is reset at the deadline', async () => {
    const cancelled = Promise.withResolvers<void>()
    await server.handle(method.name, async (stream) => {
      await readLengthPrefixed((length) => stream.read(length), 1e6)
      await stream.read(1).catch(() => cancelled.resolve())
    })
    await expect(call('x', 300)).rejects.toMatchObject({
      name: 'DeadlineExceededError',
      // More than 300 if joining took long.
      deadlineMs: transport.patience(300),
      peer: server.id,
    })
    await cancelled.promise
  })

  it('a server that sends one byte at a time does not extend the deadline', async () => {
    await server.handle(method.name, async (stream) => {
      await stream.write(Uint8Array.of(0xff, 0xff, 0x7f))
      for (let i = 0; i < 100; i++) {
        await stream.write(Uint8Array.of(0))
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    })
    await expect(call('x', 500)).rejects.toMatchObject({ name: 'DeadlineExceededError' })
  })

  it('a stream that is closed without an answer rejects with possible causes', async () => {
    await server.handle(method.name, async (stream) => {
      await readLengthPrefixed((length) => stream.read(length), 1e6)
    })
    await expect(call('x')).rejects.toThrow(
      /without an answer: the request was cancelled, too long or malformed/,
    )
  })

  it.each([
    [
      'another call id',
      (callId: Uint8Array) => encodeUnaryEnvelope({ callId: callId.map((b) => b ^ 1), response: callId }),
    ],
    ['neither response nor error', (callId: Uint8Array) => encodeUnaryEnvelope({ callId })],
    [
      'an answer that makes no sense',
      (callId: Uint8Array) => encodeUnaryEnvelope({ callId, response: Buffer.from('nonsense') }),
    ],
    ['bytes that are no envelope', () => Buffer.of(0xff, 0xff, 0xff)],
  ])('%s is a ProtocolError with the peer', async (_name, answer) => {
    await server.handle(method.name, async (stream) => {
      const request = await readLengthPrefixed((length) => stream.read(length), 1e6)
      await stream.write(lengthPrefixed(answer(request.subarray(2, 18))))
    })
    await expect(call('x')).rejects.toMatchObject({ name: 'ProtocolError', peer: server.id })
  })

  it('an answer that announces more than 4 MiB is refused', async () => {
    await server.handle(method.name, async (stream) => {
      await stream.write(Uint8Array.of(0x81, 0x80, 0x80, 0x02))
      await silence()
    })
    await expect(call('x')).rejects.toThrow(/more than 4194304 bytes/)
  })

  it('a request of more than 4 MiB is refused before it is sent: the server would be silent', async () => {
    await expect(call('x'.repeat(4 * 1024 * 1024))).rejects.toThrow(/too long for a unary call/)
  })

  it('the abort reason passes through unchanged', async () => {
    await serveUnary(server, method.name, silence)
    const reason = new Error('the user left')
    const controller = new AbortController()
    const calling = rpc.unary(server.id, method, 'x', { signal: controller.signal })
    setTimeout(() => controller.abort(reason), 50)
    await expect(calling).rejects.toBe(reason)
  })
})

describe('streaming', () => {
  it('requests and responses arrive in order, each side at its own pace', async () => {
    await serveStream(server, method.name, async (call) => {
      for (let request = await call.next(); request; request = await call.next()) await call.respond(request)
    })
    await using stream = await rpc.openStream(server.id, method)
    const texts = Array.from({ length: 20 }, (_, i) => `${i}`.repeat(i * 1000))
    await Promise.all(texts.map((text) => stream.send(text)))
    for (const text of texts) expect(await stream.receive()).toBe(text)
    await stream.end()
    await expect(stream.receive()).rejects.toMatchObject({ name: 'ConnectionLostError', clean: true })
  })

  it.each(['boom', "'boom'", ''])("an error frame with text '%s' is an RpcError", async (text) => {
    await serveStream(server, method.name, async (call) => {
      await call.next()
      throw new Error(text)
    })
    await using stream = await rpc.openStream(server.id, method)
    await stream.send('x')
    await expect(stream.receive()).rejects.toMatchObject({
      name: 'RpcError',
      remoteMessage: text,
      peer: server.id,
    })
  })

  it.each([
    ['an announcement of 2^63 - 1 bytes', Buffer.from('007fffffffffffffff', 'hex')],
    ['an unknown marker', Buffer.from('070000000000000001', 'hex')],
    [
      'a response that makes no sense',
      Buffer.concat([encodeFrameHeader({ marker: 0, length: 8 }), Buffer.from('nonsense')]),
    ],
  ])('%s is a ProtocolError, and the stream is reset', async (_name, bytes) => {
    const reset = Promise.withResolvers<void>()
    await serveStream(server, method.name, async (call) => {
      await call.bytes.write(bytes)
      await call.next().catch(() => reset.resolve())
    })
    await using stream = await rpc.openStream(server.id, method)
    await expect(stream.receive()).rejects.toMatchObject({ name: 'ProtocolError', peer: server.id })
    await reset.promise
  })

  it("a message longer than the caller's limit is refused", async () => {
    await serveStream(server, method.name, (call) => call.respond(Buffer.alloc(1001)))
    await using stream = await rpc.openStream(server.id, method)
    await expect(stream.receive({ maxBytes: 1000 })).rejects.toThrow(/1001 bytes/)
  })

  it('disposing before the end cancels the call on the server', async () => {
    const started = Promise.withResolvers<void>()
    const cancelled = Promise.withResolvers<void>()
    await serveStream(server, method.name, async (call) => {
      await call.next()
      started.resolve()
      await call.next().catch(() => cancelled.resolve())
    })
    {
      await using stream = await rpc.openStream(server.id, method)
      await stream.send('x')
      await started.promise
    }
    await cancelled.promise
  })

  it('abort throws its reason to the receiver', async () => {
    await serveStream(server, method.name, async (call) => {
      await call.next()
    })
    const stream = await rpc.openStream(server.id, method)
    const receiving = stream.receive()
    const reason = new Error('enough')
    stream.abort(reason)
    await expect(receiving).rejects.toBe(reason)
  })
})
