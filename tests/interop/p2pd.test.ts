import { once } from 'node:events'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Libp2p } from '@libp2p/interface'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '@petals-chat/engine/testing'
import { ConnectionLostError, DeadlineExceededError } from '../../packages/petals/src/errors.ts'
import { createLibp2pTransport } from '../../packages/petals/src/p2p/libp2p-transport.ts'
import { peerIdBytes, type PeerId } from '../../packages/petals/src/p2p/peer-id.ts'
import type { ByteStream, SwarmTransport } from '../../packages/petals/src/p2p/swarm-transport.ts'
import { TestPeer } from '../../packages/petals/src/p2p/testing/test-peer.ts'
import type { RpcMethod } from '../../packages/petals/src/rpc/rpc-client.ts'
import { createRpcClient } from '../../packages/petals/src/rpc/transport-rpc-client.ts'
import { maxEnvelopeBytes } from '../../packages/petals/src/rpc/unary-call.ts'
import { encodeUnaryEnvelope } from '../../packages/petals/src/wire/p2pd.ts'
import { P2pd, type DaemonStream, type P2pdOptions } from './support/p2pd.ts'

// js-libp2p against hivemind's daemon, whose go-libp2p is older than anything in libp2p's own matrix of tests.

const echo = 'Test.echo'
const bytesMethod = (name: string): RpcMethod<Uint8Array, Uint8Array> => ({
  name,
  encodeRequest: (bytes) => bytes,
  decodeResponse: (bytes) => bytes,
})

async function echoAll({ socket, reader }: DaemonStream): Promise<void> {
  for (let chunk = await reader.next(); chunk; chunk = await reader.next())
    if (!socket.write(chunk)) await once(socket, 'drain')
  socket.end()
}

const startEcho = async (options?: P2pdOptions): Promise<P2pd> => {
  const daemon = await P2pd.start(options)
  await daemon.handle(echo, echoAll)
  return daemon
}

const newClient = (): Promise<SwarmTransport> => createLibp2pTransport({ connectTimeoutMs: 10_000 })

const pattern = Uint8Array.from({ length: 251 }, (_, i) => i)
const filled = (byteLength: number): Uint8Array => Buffer.alloc(byteLength, pattern)
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

async function expectEcho(client: SwarmTransport, daemon: P2pd, byteLength = 5): Promise<void> {
  await using stream = await client.openStream(daemon.id, echo)
  const bytes = filled(byteLength)
  const [received] = await Promise.all([stream.read(byteLength), stream.write(bytes)])
  expect(same(received, bytes)).toBe(true)
}

/** Streams of all connections of the client, for which its interface has no name. */
const openStreams = (transport: SwarmTransport): number =>
  (transport as unknown as { readonly node: Libp2p }).node.getConnections().flatMap(({ streams }) => streams)
    .length

let resources: AsyncDisposableStack
let daemon: P2pd
let client: SwarmTransport

beforeAll(async () => {
  resources = new AsyncDisposableStack()
  daemon = resources.use(await startEcho({ args: ['-dhtServer', '-b=false', '-relayService'] }))
  client = resources.use(await newClient())
  await client.connect([daemon.address])
})
afterAll(() => resources.disposeAsync())

describe('connections to p2pd', () => {
  it.each(['RSA', 'Ed25519', 'secp256k1'] as const)('a peer with a key of type %s', async (type) => {
    const key = type === 'RSA' ? await generateKeyPair(type, 2048) : await generateKeyPair(type)
    await using other = await startEcho({ key })
    await using own = await newClient()
    await own.connect([other.address])
    expect(own.initialPeers).toEqual([other.id])
    await expectEcho(own, other)
  })

  it('this client with an RSA key, as hivemind has', async () => {
    const privateKey = await generateKeyPair('RSA', 2048)
    await using own = await createLibp2pTransport({ connectTimeoutMs: 10_000, privateKey })
    await own.connect([daemon.address])
    await expectEcho(own, daemon)
  })

  it.each([
    ['IPv6', '/ip6/::1/tcp/0', (address: string) => address],
    ['WebSocket', '/ip4/127.0.0.1/tcp/0/ws', (address: string) => address],
    [
      'a name',
      '/ip4/127.0.0.1/tcp/0',
      (address: string) => address.replace('/ip4/127.0.0.1', '/dns4/localhost'),
    ],
  ])('by %s', async (_name, listen, rewrite) => {
    await using other = await startEcho({ listen: [listen] })
    await using own = await newClient()
    await own.connect([rewrite(other.address)])
    await expectEcho(own, other)
  })

  it('a peer that offers TLS without Noise is refused with a reason', async () => {
    await using other = await P2pd.start({ args: ['-noise=false'] })
    await using own = await newClient()
    await expect(own.connect([other.address])).rejects.toThrow(/does not answer \(.*protocol/i)
  })

  it('a peer that another one names is found, by its TCP address if it also has one of QUIC', async () => {
    const listen = ['/ip4/127.0.0.1/udp/0/quic-v1', '/ip4/127.0.0.1/tcp/0']
    await using other = await startEcho({ listen, args: ['-dhtServer', '-b=false'] })
    await other.connect(daemon.id, [daemon.address])
    await expectEcho(client, other)
    expect(client.connection(other.id)).toMatchObject({
      relayed: false,
      address: expect.stringMatching(/tcp/),
    })
  })

  it('a peer with an address of QUIC only is refused in words', async () => {
    await using own = await newClient()
    const quic = `/ip4/127.0.0.1/udp/4001/quic-v1/p2p/${daemon.id}`
    await expect(own.connect([quic])).rejects.toThrow(/only initial peer does not answer/)
  })

  it('a circuit to a peer that has none at the relay is refused', async () => {
    await using own = await newClient()
    const circuit = `${daemon.address}/p2p-circuit/p2p/QmQGTqmM7NKjV6ggU1ZCap8zWiyKR89RViDXiqehSiCpY5`
    await expect(own.connect([circuit])).rejects.toThrow(/only initial peer does not answer \(.*reservation/i)
  })

  it('p2pd sees this client, and can ask it for nothing but the protocols of libp2p', async () => {
    expect(await daemon.connectedPeers()).toBeGreaterThan(0)
    const ping = await daemon.openStream(client.localPeer, '/ipfs/ping/1.0.0')
    ping.socket.write(filled(32))
    expect(same(await ping.reader.read(32), filled(32))).toBe(true)
    ping.socket.destroy()
    await expect(daemon.openStream(client.localPeer, echo)).rejects.toThrow(/protocols not supported/)
  })

  it('p2pd dials a peer on this stack, and its streams work', async () => {
    await using peer = await TestPeer.start()
    await peer.handle(echo, async (stream) => stream.write(await stream.read(100_000)))
    await daemon.connect(peer.id, [peer.address])
    const { socket, reader } = await daemon.openStream(peer.id, echo)
    socket.write(filled(100_000))
    expect(same(await reader.read(100_000), filled(100_000))).toBe(true)
    expect(await reader.next()).toBeUndefined()
    socket.destroy()
  })
})

describe('streams to p2pd', () => {
  it.each([1, 4096, 65_536, 262_145, 4 * 2 ** 20 + 1, 64 * 2 ** 20])('%s bytes there and back', (bytes) =>
    expectEcho(client, daemon, bytes),
  )

  it('many at once, of many sizes, share one connection', async () => {
    await using own = await newClient()
    const before = await daemon.connectedPeers()
    await own.connect([daemon.address])
    await Promise.all(Array.from({ length: 300 }, (_, i) => expectEcho(own, daemon, 1 + i * 37)))
    expect(await daemon.connectedPeers()).toBe(before + 1)
  })

  it("the end of the peer's output is read after its last byte", async () => {
    await daemon.handle('Test.end', async ({ socket, reader }) => {
      await reader.read(1)
      socket.end(filled(300_000))
    })
    await using stream = await client.openStream(daemon.id, 'Test.end')
    await stream.write(Uint8Array.of(1))
    expect(same(await stream.read(300_000), filled(300_000))).toBe(true)
    await expect(stream.read(1)).rejects.toMatchObject({ name: 'ConnectionLostError', clean: true })
  })

  it('a peer learns of the reset of a stream, and of its normal end', async () => {
    const ends: string[] = []
    await daemon.handle('Test.watch', async ({ socket, reader }) => {
      socket.write(await reader.read(1))
      while (await reader.next());
      ends.push('ended')
      socket.destroy()
    })
    const open = async (): Promise<ByteStream> => {
      const stream = await client.openStream(daemon.id, 'Test.watch')
      await stream.write(Uint8Array.of(1))
      await stream.read(1)
      return stream
    }
    const cancelled = await open()
    const reading = cancelled.read(1)
    const reason = new Error('the user left')
    cancelled.abort(reason)
    await expect(reading).rejects.toBe(reason)
    await expect.poll(() => ends.length).toBe(1)
    await (await open())[Symbol.asyncDispose]()
    await expect.poll(() => ends.length).toBe(2)
  })

  it('a handler that dies ends the read that waits, and the connection goes on', async () => {
    await daemon.handle('Test.die', async ({ socket, reader }) => {
      await reader.read(1)
      socket.resetAndDestroy()
    })
    const stream = await client.openStream(daemon.id, 'Test.die')
    await stream.write(Uint8Array.of(1))
    await expect(stream.read(10)).rejects.toThrow(ConnectionLostError)
    await expectEcho(client, daemon)
  })

  it('a protocol without a handler has an error of its own', async () => {
    await using stream = await client.openStream(daemon.id, 'Test.none')
    await expect(stream.read(1)).rejects.toMatchObject({
      unsupportedProtocol: 'Test.none',
    })
  })
})

describe('unary calls through p2pd', () => {
  const method = bytesMethod('Test.unary')
  const call = (data: Uint8Array, timeoutMs = 30_000): Promise<Uint8Array> =>
    createRpcClient(client).unary(daemon.id, method, data, { timeoutMs })
  beforeAll(() => daemon.handleUnary(method.name, async (data) => data))

  it('bytes up to the edge of an envelope', async () => {
    for (const length of [0, 1, 100_000, 2 ** 21])
      expect((await call(filled(length))).byteLength).toBe(length)
    const largest = filled(maxEnvelopeBytes - envelopeOverhead(daemon.id, method.name))
    expect(same(await call(largest), largest)).toBe(true)
  })

  it('one byte more than an envelope is refused before it is sent', async () => {
    const tooLong = filled(maxEnvelopeBytes - envelopeOverhead(daemon.id, method.name) + 1)
    await expect(call(tooLong)).rejects.toThrow(RangeError)
  })

  it('an error of the handler, an answer that never comes, a call that is cancelled', async () => {
    const failing = bytesMethod('Test.fail')
    const silent = bytesMethod('Test.silent')
    await daemon.handleUnary(failing.name, async () => new Error("KeyError('x')"))
    const cancelled = await daemon.handleUnary(silent.name, async () => undefined)
    const rpc = createRpcClient(client)
    await expect(rpc.unary(daemon.id, failing, filled(3))).rejects.toThrow(/KeyError\('x'\)/)
    await expect(rpc.unary(daemon.id, silent, filled(3), { timeoutMs: 300 })).rejects.toThrow(
      DeadlineExceededError,
    )
    await expect.poll(() => cancelled.length).toBe(1)
  })

  it('1,000 calls leave nothing behind', async () => {
    for (let i = 0; i < 10; i++) await Promise.all(Array.from({ length: 100 }, () => call(filled(64))))
    await expect.poll(() => openStreams(client)).toBe(0)
    expect(await daemon.connectedPeers()).toBe(1)
  })
})

describe('p2pd goes and comes back', () => {
  it('a read that waits ends, and the peer is dialled again when it is back', async () => {
    const listen = [`/ip4/127.0.0.1/tcp/${await freePort()}`]
    const key = await generateKeyPair('Ed25519')
    await using first = await P2pd.start({ listen, key })
    await first.handle('Test.wait', async ({ socket, reader }) => void socket.write(await reader.read(1)))
    await using own = await newClient()
    await own.connect([first.address])
    const stream = await own.openStream(first.id, 'Test.wait')
    await stream.write(Uint8Array.of(1))
    await stream.read(1)
    const reading = expect(stream.read(10)).rejects.toMatchObject({
      name: 'ConnectionLostError',
      clean: false,
    })
    await first.kill()
    await reading
    await using second = await startEcho({ listen, key })
    expect(second.id).toBe(first.id)
    await expectEcho(own, second)

    await second.disconnect(own.localPeer)
    await expectEcho(own, second)

    await second.kill()
    await using stranger = await startEcho({ listen })
    expect(stranger.id).not.toBe(first.id)
    await expect(own.openStream(first.id, echo, { timeoutMs: 5000 })).rejects.toThrow(/can't be reached/)
  })
})

/** Bytes that the envelope of a call with some megabytes of data has besides them. */
function envelopeOverhead(peer: PeerId, method: string): number {
  const data = filled(2 ** 21)
  const call = { peer: peerIdBytes(peer), method, data }
  return encodeUnaryEnvelope({ callId: new Uint8Array(16), call }).byteLength - data.byteLength
}
