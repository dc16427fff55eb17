import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { PeerUnreachableError } from '../errors.ts'
import { createLibp2pTransport, type Libp2pTransport } from './libp2p-transport.ts'
import { parsePeerId, type PeerId } from './peer-id.ts'
import type { SwarmTransport } from './swarm-transport.ts'
import { TestPeer, type TestPeerOptions } from './testing/test-peer.ts'

const deadAddress = '/ip4/127.0.0.1/tcp/1/p2p/QmedTaZXmULqwspJXz44SsPZyTNKxhnnFvYRajfH7MGhCY'
const echo = 'Test.echo'

let resources: AsyncDisposableStack
let client: SwarmTransport

beforeEach(async () => {
  resources = new AsyncDisposableStack()
  client = resources.use(await createLibp2pTransport({ connectTimeoutMs: 5000 }))
})
afterEach(() => resources.disposeAsync())

async function startPeer(options?: TestPeerOptions): Promise<TestPeer> {
  const peer = resources.use(await TestPeer.start(options))
  await peer.handle(echo, async (stream) => {
    await stream.write(await stream.read(5))
  })
  return peer
}

async function expectEcho(peer: PeerId): Promise<void> {
  await using stream = await client.openStream(peer, echo)
  await stream.write(Buffer.from('hello'))
  expect(Buffer.from(await stream.read(5)).toString()).toBe('hello')
}

describe('connecting to initial peers', () => {
  it('one reachable peer is enough', async () => {
    const alive = await startPeer()
    await client.connect([deadAddress, alive.address])
    expect(client.initialPeers).toEqual([alive.id])
    expect(client.connection(alive.id)).toEqual({ address: alive.address, relayed: false })
    await expectEcho(alive.id)
  })

  it('later connections to an initial peer tell, too, how slow the line is', async () => {
    const [initial, other] = [await startPeer(), await startPeer()]
    const transport = client as Libp2pTransport
    await client.connect([initial.address])
    expect(transport.addressTimeouts(multiaddr(initial.address)).onConnected).toBeDefined()
    expect(transport.addressTimeouts(multiaddr(other.address)).onConnected).toBeUndefined()
  })

  it('a peer is reached by any address that works', async () => {
    const peer = await startPeer()
    await client.connect([`/ip4/127.0.0.1/tcp/1/p2p/${peer.id}`, peer.address])
    await expectEcho(peer.id)
  })

  it('the other peers are connected in the background', async () => {
    const peers = await Promise.all([startPeer(), startPeer(), startPeer()])
    await client.connect(peers.map(({ address }) => address))
    await expect.poll(() => client.initialPeers.length).toBe(3)
  })

  it('the error of no reachable peer says which, why and what to do', async () => {
    const failure = client.connect([deadAddress])
    await expect(failure).rejects.toThrow(PeerUnreachableError)
    await expect(failure).rejects.toThrow(
      /The swarm can't be reached: its only initial peer .*ECONNREFUSED.*Check the addresses/,
    )
  })

  it('an invalid address is quoted in the error', async () => {
    await expect(client.connect(['localhost:31337'])).rejects.toThrow(
      /'localhost:31337' is not a peer's address/,
    )
  })

  it.each([
    ['IPv6', '/ip6/::1/tcp/0', (address: string) => address],
    ['WebSocket', '/ip4/127.0.0.1/tcp/0/ws', (address: string) => address],
    [
      'a DNS name',
      '/ip4/127.0.0.1/tcp/0',
      (address: string) => address.replace('/ip4/127.0.0.1', '/dns4/localhost'),
    ],
  ])('by %s', async (_name, listen, rewrite) => {
    const peer = await startPeer({ listen: [listen] })
    await client.connect([rewrite(peer.address)])
    await expectEcho(peer.id)
  })
})

describe('opening streams', () => {
  it('an unsupported protocol has an error of its own', async () => {
    const peer = await startPeer()
    await client.connect([peer.address])
    await using stream = await client.openStream(peer.id, 'DHTProtocol.rpc_ping')
    await expect(stream.read(1)).rejects.toMatchObject({
      name: 'PeerUnreachableError',
      unsupportedProtocol: 'DHTProtocol.rpc_ping',
    })
  })

  it('a peer known only by its id is looked up at the initial peers', async () => {
    const [bootstrap, server] = [await startPeer(), await startPeer()]
    await server.connect(bootstrap.address)
    await client.connect([bootstrap.address])
    await expectEcho(server.id)
  })

  it('a lookup continues from peer to peer', async () => {
    const peers = await Promise.all([startPeer(), startPeer(), startPeer(), startPeer()])
    for (let i = 1; i < peers.length; i++) await peers[i]!.connect(peers[i - 1]!.address)
    await client.connect([peers[0]!.address])
    await expectEcho(peers[3]!.id)
  })

  it('a peer that no other peer knows is unreachable, within the timeout', async () => {
    const bootstrap = await startPeer()
    await client.connect([bootstrap.address])
    const unknown = parsePeerId('QmQGTqmM7NKjV6ggU1ZCap8zWiyKR89RViDXiqehSiCpY5')
    const failure = client.openStream(unknown, echo, { timeoutMs: 2000 })
    await expect(failure).rejects.toThrow(PeerUnreachableError)
  })

  it('a peer is dialled again after its connection was closed or lost', async () => {
    const peer = await startPeer()
    await client.connect([peer.address])
    await peer.closeConnections()
    await expectEcho(peer.id)
    peer.cutConnections()
    await expectEcho(peer.id)
  })

  it('many streams at once share one connection', async () => {
    const peer = await startPeer()
    await client.connect([peer.address])
    await Promise.all(Array.from({ length: 200 }, () => expectEcho(peer.id)))
    expect(peer.connectionCount()).toBe(1)
  })

  it('the abort reason passes through unchanged', async () => {
    const peer = await startPeer()
    const reason = new Error('the user left')
    await client.connect([peer.address])
    const unknown = parsePeerId('QmQGTqmM7NKjV6ggU1ZCap8zWiyKR89RViDXiqehSiCpY5')
    await expect(client.openStream(unknown, echo, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })

  it('a peer behind NAT is reached through its relay', async () => {
    const relay = await startPeer({ relay: true })
    const hidden = await startPeer({ listen: [`${relay.address}/p2p-circuit`] })
    await client.connect([relay.address])
    // The relay learns of the address that it lent by identify's push, a second later.
    await vi.waitFor(() => expectEcho(hidden.id))
    expect(client.connection(hidden.id)).toMatchObject({ relayed: true })
  })
})

it("addresses are found in libp2p's own Kademlia DHT", async () => {
  const servers = await Promise.all(
    Array.from({ length: 3 }, () =>
      createLibp2p({
        addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
        transports: [tcp()],
        connectionEncrypters: [noise()],
        streamMuxers: [yamux()],
        services: {
          identify: identify(),
          ping: ping(),
          dht: kadDHT({ protocol: '/ipfs/kad/1.0.0', clientMode: false, peerInfoMapper: passthroughMapper }),
        },
      }),
    ),
  )
  for (const server of servers) resources.defer(() => server.stop())
  const [first, second, third] = servers as [(typeof servers)[0], (typeof servers)[0], (typeof servers)[0]]
  await second.dial(first.getMultiaddrs())
  await third.dial(second.getMultiaddrs())
  await client.connect(first.getMultiaddrs().map(String))
  const stream = await client.openStream(parsePeerId(third.peerId.toString()), '/ipfs/ping/1.0.0')
  await stream.write(new Uint8Array(32).fill(7))
  expect(Array.from(await stream.read(32))).toEqual(new Array(32).fill(7))
  stream.abort(new Error('done'))
})
