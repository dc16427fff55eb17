import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import type { MessageStream, StreamMuxerFactory } from '@libp2p/interface'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { createLibp2p, type Libp2p } from 'libp2p'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import { createLibp2pTransport } from '../../../packages/petals/src/p2p/libp2p-transport.ts'
import type { PeerId } from '../../../packages/petals/src/p2p/peer-id.ts'
import type { SwarmTransport } from '../../../packages/petals/src/p2p/swarm-transport.ts'
import { TestPeer } from '../../../packages/petals/src/p2p/testing/test-peer.ts'
import { testsOf } from '../support/incident.ts'
import { swarmIncidents } from './swarm.incidents.ts'

const incident = testsOf(swarmIncidents)
const MIB = 1024 * 1024
const echo = 'Test.echo'

let resources: AsyncDisposableStack
let client: SwarmTransport
let honest: TestPeer
beforeEach(async () => {
  resources = new AsyncDisposableStack()
  honest = resources.use(await TestPeer.start())
  await honest.handle(echo, async (stream) => stream.write(await stream.read(5)))
  client = resources.use(await createLibp2pTransport({ connectTimeoutMs: 5000 }))
})
afterEach(() => resources.disposeAsync())

/** The client, whose id peers learn when it connects, still speaks with an honest peer. */
async function expectEcho(): Promise<void> {
  await using stream = await client.openStream(honest.id, echo)
  await stream.write(Buffer.from('hello'))
  expect(Buffer.from(await stream.read(5)).toString()).toBe('hello')
}

/** The first id under which the client opens a stream to this peer. */
async function clientIdAt(peer: TestPeer): Promise<PeerId> {
  const { promise, resolve } = Promise.withResolvers<PeerId>()
  await peer.handle('Test.hello', async (_, remote) => resolve(remote))
  await (await client.openStream(peer.id, 'Test.hello'))[Symbol.asyncDispose]()
  return promise
}

describe('protocols', () => {
  const refused = async (protocols: readonly string[]): Promise<void> => {
    await client.connect([honest.address])
    const id = await clientIdAt(honest)
    for (const protocol of protocols)
      await expect(honest.openStream(id, protocol), protocol).rejects.toThrow(/protocol/i)
    await expectEcho()
  }

  incident('CVE-2026-46679', () =>
    refused(['/meshsub/1.0.0', '/meshsub/1.1.0', '/meshsub/1.2.0', '/floodsub/1.0.0']),
  )

  incident('CVE-2026-45783', () =>
    refused(['/ipfs/kad/1.0.0', '/ipfs/lan/kad/1.0.0', 'DHTProtocol.rpc_store', 'DHTProtocol.rpc_find']),
  )

  incident('CVE-2022-23486', async () => {
    await client.connect([honest.address])
    const id = await clientIdAt(honest)
    const before = process.memoryUsage.rss()
    const opened = await Promise.allSettled(
      Array.from({ length: 500 }, () => honest.openStream(id, '/ipfs/ping/1.0.0')),
    )
    expect(opened.filter(({ status }) => status === 'fulfilled').length).toBeLessThan(50)
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * MIB)
    await expectEcho()
  })
})

interface FrameFields {
  readonly type: number
  readonly flags?: number
  readonly stream: number
  readonly length: number
  readonly version?: number
  readonly data?: Buffer
}

/** A frame of yamux (its specification, section "Framing"). */
function yamuxFrame({ version = 0, type, flags = 0, stream, length, data }: FrameFields): Buffer {
  const head = Buffer.alloc(12)
  head.writeUInt8(version, 0)
  head.writeUInt8(type, 1)
  head.writeUInt16BE(flags, 2)
  head.writeUInt32BE(stream, 4)
  head.writeUInt32BE(length, 8)
  return Buffer.concat([head, data ?? Buffer.alloc(0)])
}

/** A peer that sends frames of its own below its multiplexer. */
async function startRawPeer(): Promise<{
  readonly node: Libp2p
  send(...frames: readonly Buffer[]): Promise<void>
}> {
  let connection: MessageStream | undefined
  const rawYamux = (): StreamMuxerFactory => {
    const factory = yamux()()
    return {
      protocol: factory.protocol,
      createStreamMuxer(stream) {
        connection = stream
        return factory.createStreamMuxer(stream)
      },
    }
  }
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [rawYamux],
    connectionMonitor: { enabled: false },
    services: { identify: identify(), ping: ping() },
  })
  return {
    node,
    async send(...frames) {
      await expect.poll(() => connection?.status).toBe('open')
      for (const frame of frames) if (connection!.status === 'open') connection!.send(frame)
    },
  }
}

describe('frames', () => {
  async function survives(frames: readonly Buffer[]): Promise<void> {
    const { node, send } = await startRawPeer()
    resources.defer(() => node.stop())
    const peer = node.peerId.toString() as PeerId
    await client.connect([honest.address, String(node.getMultiaddrs()[0])])
    await expect.poll(() => client.connection(peer)).toBeDefined()
    const before = process.memoryUsage().arrayBuffers
    await send(...frames)
    // Both ways of going on are right: without the frames, or without this peer.
    await client.openStream(peer, '/ipfs/ping/1.0.0').then(
      async (stream) => stream[Symbol.asyncDispose](),
      () => {},
    )
    await expectEcho()
    await expect.poll(() => process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * MIB)
  }

  incident('CVE-2026-31814', async () => {
    const granted = [1, 2, 3, 4].flatMap((stream) => [
      yamuxFrame({ type: 1, flags: 1, stream, length: 0xffffffff }),
      yamuxFrame({ type: 1, stream, length: 0xffffffff }),
    ])
    await survives(granted)
  })

  incident('CVE-2026-32314', async () => {
    const endless = yamuxFrame({ type: 0, flags: 1, stream: 2, length: 0xffffffff })
    await survives([endless, ...Array.from({ length: 100 }, () => Buffer.alloc(MIB))])
    await survives([
      yamuxFrame({ type: 0, flags: 1, stream: 2, length: 262_145, data: Buffer.alloc(262_145) }),
      yamuxFrame({ type: 2, flags: 1, stream: 0, length: 0xffffffff }),
      yamuxFrame({ type: 9, version: 7, stream: 5, length: 0xffffffff, data: Buffer.alloc(1000, 0xff) }),
    ])
  })
})
