import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ConnectionLostError } from '../errors.ts'
import { createLibp2pTransport } from './libp2p-transport.ts'
import type { ByteStream, SwarmTransport } from './swarm-transport.ts'
import { TestPeer } from './testing/test-peer.ts'

const protocol = 'Test.bytes'
const pattern = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + (i >>> 8)) & 0xff)

let resources: AsyncDisposableStack
let peer: TestPeer
let client: SwarmTransport

beforeEach(async () => {
  resources = new AsyncDisposableStack()
  peer = resources.use(await TestPeer.start())
  client = resources.use(await createLibp2pTransport({ connectTimeoutMs: 5000 }))
  await client.connect([peer.address])
})
afterEach(() => resources.disposeAsync())

async function open(handler: (stream: ByteStream) => Promise<void>): Promise<ByteStream> {
  await peer.handle(protocol, handler)
  const stream = await client.openStream(peer.id, protocol)
  await stream.read(0) // the peer has agreed to the protocol
  return stream
}

it('twenty megabytes arrive unchanged, in reads of any size', async () => {
  const sent = pattern(20_000_000)
  await using stream = await open(async (remote) => {
    const received = await remote.read(sent.byteLength)
    await remote.write([received.subarray(0, 7), received.subarray(7)])
  })
  await stream.write([sent.subarray(0, 1_000_003), sent.subarray(1_000_003)])
  let at = 0
  for (const length of [1, 9, 300_000, 5_000_000, 14_699_990]) {
    expect(Buffer.compare(await stream.read(length), sent.subarray(at, at + length))).toBe(0)
    at += length
  }
  expect(at).toBe(sent.byteLength)
})

it('a read of no bytes resolves at once', async () => {
  await using stream = await open(async (remote) => void (await remote.read(1)))
  expect(await stream.read(0)).toHaveLength(0)
})

it('back-pressure stops a peer that sends without end, until bytes are read', async () => {
  let sentBytes = 0
  const chunk = pattern(65_536)
  await using stream = await open(async (remote) => {
    for (; sentBytes < 64_000_000; sentBytes += chunk.byteLength) await remote.write(chunk)
  })
  expect(await stream.read(1)).toHaveLength(1)
  await expect.poll(() => sentBytes, { interval: 100 }).toBeGreaterThan(1_000_000)
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(sentBytes).toBeLessThan(8_000_000)
  const rest = await stream.read(64_000_000 - 1)
  expect(rest[65_535]).toBe(chunk[0])
})

describe('the end of a stream', () => {
  it('a normal end is clean, after everything was read', async () => {
    await using stream = await open(async (remote) => {
      await remote.write(pattern(10))
    })
    expect(await stream.read(10)).toEqual(pattern(10))
    await expect(stream.read(1)).rejects.toMatchObject({ name: 'ConnectionLostError', clean: true })
  })

  it('an end during a read is not clean', async () => {
    await using stream = await open(async (remote) => {
      await remote.write(pattern(10))
    })
    await expect(stream.read(11)).rejects.toMatchObject({ name: 'ConnectionLostError', clean: false })
  })

  it('a reset by the peer is not clean, for reads and writes', async () => {
    await using stream = await open(() => Promise.reject(new Error('handler failed')))
    await expect(stream.read(1)).rejects.toMatchObject({
      name: 'ConnectionLostError',
      clean: false,
      peer: peer.id,
    })
    await expect(stream.write(pattern(1))).rejects.toThrow(ConnectionLostError)
  })

  it('a lost connection is not clean', async () => {
    const stream = await open(async (remote) => void (await remote.read(1)))
    const reading = stream.read(1)
    peer.cutConnections()
    await expect(reading).rejects.toMatchObject({ name: 'ConnectionLostError', clean: false })
  })

  it('the end of a process, which closes its sockets normally, is not clean', async () => {
    const stream = await open(async (remote) => void (await remote.read(1)))
    const reading = stream.read(1)
    reading.catch(() => {})
    await peer.closeConnections()
    await expect(reading).rejects.toMatchObject({ name: 'ConnectionLostError' })
  })

  it('bytes that came before the end can still be read, even after back-pressure', async () => {
    const sent = pattern(3_000_000)
    await using stream = await open((remote) => remote.write(sent))
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(Buffer.compare(await stream.read(sent.byteLength), sent)).toBe(0)
    await expect(stream.read(1)).rejects.toMatchObject({ clean: true })
  })
})

describe('cancelling', () => {
  it('abort rejects pending reads with its reason and resets the stream', async () => {
    const ended = Promise.withResolvers<unknown>()
    const stream = await open((remote) => remote.read(1).then(() => ended.resolve('read'), ended.resolve))
    const reason = new Error('enough')
    const reading = stream.read(1)
    stream.abort(reason)
    await expect(reading).rejects.toBe(reason)
    await expect(stream.read(1)).rejects.toBe(reason)
    await expect(stream.write(pattern(1))).rejects.toBe(reason)
    await expect(ended.promise).resolves.toMatchObject({ name: 'ConnectionLostError', clean: false })
  })

  it('a signal ends a read with its reason', async () => {
    await using stream = await open(async (remote) => void (await remote.read(1)))
    const controller = new AbortController()
    const reading = stream.read(1, { signal: controller.signal })
    const reason = new Error('the user left')
    controller.abort(reason)
    await expect(reading).rejects.toBe(reason)
  })

  it('a signal ends a write that the peer does not read', async () => {
    const release = Promise.withResolvers<void>()
    const stream = await open(() => release.promise)
    const reason = new Error('too slow')
    const writing = stream.write(new Uint8Array(50_000_000), { signal: AbortSignal.timeout(300) })
    await expect(writing).rejects.toThrow()
    stream.abort(reason)
    release.resolve()
  })
})
