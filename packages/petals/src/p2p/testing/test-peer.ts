import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify, identifyPush } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { decodeFindNode, encodeCloserPeers, kadProtocol } from '../../wire/kad.ts'
import { lengthPrefixed, readLengthPrefixed } from '../../wire/varint.ts'
import { Libp2pByteStream } from '../libp2p-byte-stream.ts'
import { peerIdBytes, peerIdFromBytes, type PeerId } from '../peer-id.ts'
import type { ByteStream } from '../swarm-transport.ts'

export interface TestPeerOptions {
  /** Default: a free TCP port of 127.0.0.1. */
  readonly listen?: readonly string[]
  /** Answer FIND_NODE with the addresses of connected peers, as every server of a swarm does. Default true. */
  readonly kad?: boolean
  /** Serve as a circuit relay for other peers. */
  readonly relay?: boolean
  /** Addresses that the peer announces instead of its own, for example those of a relay in front of it. */
  readonly announce?: readonly string[]
}

/** A peer of a swarm for tests, which listens on loopback and serves the protocols given to `handle`. */
export class TestPeer implements AsyncDisposable {
  readonly #node: Libp2p
  readonly #directAddress: string | undefined

  static async start({
    listen = ['/ip4/127.0.0.1/tcp/0'],
    kad = true,
    relay = false,
    announce = [],
  }: TestPeerOptions = {}): Promise<TestPeer> {
    const services = {
      identify: identify(),
      identifyPush: identifyPush(),
      ping: ping(),
      ...(relay ? { relay: circuitRelayServer() } : {}),
    }
    const node = await createLibp2p({
      addresses: { listen: [...listen], announce: [...announce] },
      transports: [tcp(), webSockets(), circuitRelayTransport()],
      connectionEncrypters: [noise()],
      // js-libp2p, unlike p2pd, resets streams that are opened before its own handshake is complete.
      streamMuxers: [yamux({ maxEarlyStreams: 1000 })],
      // Tests open connections from one address faster than libp2p allows by default.
      connectionManager: { inboundConnectionThreshold: 10_000, maxIncomingPendingConnections: 1000 },
      connectionMonitor: { enabled: false },
      services,
    })
    const peer = new TestPeer(node, announce.length > 0 ? listen[0] : undefined)
    if (kad) await peer.handle(kadProtocol, (stream) => peer.#answerFindNode(stream))
    return peer
  }

  private constructor(node: Libp2p, directAddress: string | undefined) {
    this.#node = node
    this.#directAddress = directAddress
  }

  get id(): PeerId {
    return this.#node.peerId.toString() as PeerId
  }

  /** Multiaddrs that contain the id. */
  get addresses(): readonly string[] {
    return this.#node.getMultiaddrs().map(String)
  }

  get address(): string {
    return this.addresses[0]!
  }

  /** The address that it listens on itself, without a relay in front of it. */
  get directAddress(): string {
    return this.#directAddress ? `${this.#directAddress}/p2p/${this.id}` : this.address
  }

  /** Serves a protocol. An error of the handler resets the stream. */
  async handle(
    protocol: string,
    handler: (stream: ByteStream, remote: PeerId) => Promise<void>,
  ): Promise<void> {
    await this.#node.handle(
      protocol,
      (stream, connection) => {
        const bytes = new Libp2pByteStream(stream, connection.remotePeer.toString() as PeerId)
        handler(bytes, connection.remotePeer.toString() as PeerId).then(
          () => bytes[Symbol.asyncDispose](),
          (error: Error) => bytes.abort(error),
        )
      },
      { maxInboundStreams: 10_000, maxOutboundStreams: 10_000, runOnLimitedConnection: true },
    )
  }

  async unhandle(protocol: string): Promise<void> {
    await this.#node.unhandle(protocol)
  }

  async connect(address: string): Promise<void> {
    await this.#node.dial(multiaddr(address))
  }

  /** Tests run on loopback: there are no slow lines to be patient with. */
  patience(timeoutMs: number): number {
    return timeoutMs
  }

  async openStream(peer: PeerId, protocol: string): Promise<ByteStream> {
    const stream = await this.#node.dialProtocol(peerIdFromString(peer), protocol, {
      maxOutboundStreams: 10_000,
    })
    return new Libp2pByteStream(stream, peer)
  }

  /** Aborts every connection, as a reboot does. */
  cutConnections(): void {
    for (const connection of this.#node.getConnections()) connection.abort(new Error('cut by the test'))
  }

  async closeConnections(): Promise<void> {
    await Promise.all(this.#node.getConnections().map((connection) => connection.close()))
  }

  connectionCount(): number {
    return this.#node.getConnections().length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#node.stop()
  }

  async #answerFindNode(stream: ByteStream): Promise<void> {
    const target = peerIdFromBytes(
      decodeFindNode(await readLengthPrefixed((length) => stream.read(length), 4096)),
    )
    const known = await Promise.all(this.#node.getPeers().map((peer) => this.#node.peerStore.get(peer)))
    const peers = known
      .filter(({ addresses }) => addresses.length > 0)
      .map(({ id, addresses }) => ({
        id: peerIdBytes(id.toString() as PeerId),
        multiaddrs: addresses.map(({ multiaddr }) => multiaddr.bytes),
      }))
    if (target === this.id)
      peers.push({
        id: peerIdBytes(this.id),
        multiaddrs: this.#node.getMultiaddrs().map(({ bytes }) => bytes),
      })
    await stream.write(lengthPrefixed(encodeCloserPeers(peers)))
  }
}
