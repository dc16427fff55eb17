import { setTimeout as delay } from 'node:timers/promises'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify, identifyPush } from '@libp2p/identify'
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { silentLogger, type Logger } from '@petals-chat/engine'
import { createLibp2p, type Libp2pOptions } from 'libp2p'
import { ConnectionLostError } from '../../errors.ts'
import { AddressPolicy } from '../address-policy.ts'
import { boundedYamux } from '../bounded-yamux.ts'
import { lazyWebSockets } from '../lazy-websockets.ts'
import { Libp2pByteStream } from '../libp2p-byte-stream.ts'
import { clientInit, Libp2pTransport, type TransportOptions } from '../libp2p-transport.ts'
import { parseAddress } from '../multiaddrs.ts'
import type { PeerId } from '../peer-id.ts'
import { maxStreamsPerProtocol } from '../stream-opening.ts'
import type { ByteStream, SwarmTransport } from '../swarm-transport.ts'
import { ConnectionBound } from './connection-bound.ts'
import { answerKad, kadProtocol } from './kad-server.ts'
import { originOf } from './origin.ts'
import { Shares } from './shares.ts'
import { UnreadBound } from './unread-bound.ts'

export interface ListeningOptions extends TransportOptions {
  /** Multiaddrs; port 0 is a free one. `RELAY/p2p-circuit` reserves a slot of that relay, for a machine behind a NAT. */
  readonly listen: readonly string[]
  /** Multiaddrs that are announced instead of the own ones, for example that of a router that forwards a port. */
  readonly announce?: readonly string[] | undefined
  /** Serve as a circuit relay for peers behind a NAT. Default false. */
  readonly relay?: boolean | undefined
  readonly limits?: Partial<ListeningLimits> | undefined
  readonly logger?: Logger | undefined
}

/** What other peers can take of this node. */
export interface ListeningLimits {
  readonly connections: number
  /** Of one IP address: many peers may share a NAT. */
  readonly connectionsPerHost: number
  /** Connections of one IP address that are accepted in a second. */
  readonly connectionsPerSecond: number
  /** Streams that peers have opened, of all peers and of one. */
  readonly streams: number
  readonly streamsPerPeer: number
  /** Bytes of all of them that have arrived and are not read yet. */
  readonly unreadBytes: number
}

export const defaultListeningLimits: ListeningLimits = {
  connections: 512,
  connectionsPerHost: 128,
  connectionsPerSecond: 32,
  streams: 4096,
  streamsPerPeer: 512,
  unreadBytes: 256 * 1024 * 1024,
}

/** Bytes that a peer can send on one stream before they are read. A server has many more streams than a client. */
const maxStreamWindowBytes = 1024 * 1024
/** Bytes that are taken off a stream before they are read; further ones stay in its window. */
const highWaterBytes = 128 * 1024
/** Streams that a peer opens before the handshake is complete: js-libp2p loses the connection at more. */
const maxEarlyStreams = 128
const maxPendingConnections = 64
/** How long a peer that is connected may take to tell its addresses. */
const identifyMs = 3000
const identifyPollMs = 50

/** What a relay allows: as p2pd's, which otherwise cut a session after 128 KiB. */
const relayLimits = {
  maxReservations: 128,
  defaultDataLimit: 4n * 1024n ** 3n,
  defaultDurationLimit: 30 * 60_000,
}

/**
 * Serves a stream that a peer has opened. An error resets the stream; otherwise it is closed when the handler returns. `closed`
 * is aborted when the stream is gone, also while nothing is read from it.
 */
export type StreamHandler = (stream: ByteStream, remote: PeerId, closed: AbortSignal) => Promise<void>

/** Where protocols are served. */
export interface ProtocolServer {
  handle(protocol: string, handler: StreamHandler): Promise<void>
  /** Logs an error of a handler that its caller is not told. */
  report?(error: unknown, protocol: string, remote: PeerId): void
}

/** A node that other peers can dial. It is a client, too. */
export interface ListeningTransport extends SwarmTransport, ProtocolServer {
  /** Multiaddrs with the id, as they are announced. */
  readonly addresses: readonly string[]
  unhandle(protocol: string): Promise<void>
  /** Reports whether the peer can be dialled anew, not through a relay: that it has dialled this node does not show that. */
  dialBack(peer: PeerId, signal: AbortSignal): Promise<boolean>
  /** The address that a peer is connected from, the network of 64 bits for IPv6; undefined through a relay. */
  originOf(peer: PeerId): string | undefined
  /** Open connections and streams that peers have opened. */
  readonly load: { readonly connections: number; readonly streams: number }
}

/** Creates a node that listens. @throws Error if an address can't be listened on */
export async function createListeningTransport(options: ListeningOptions): Promise<ListeningTransport> {
  const policy = new AddressPolicy(options.privateAddresses)
  const limits = { ...defaultListeningLimits, ...options.limits }
  const transport = new Libp2pListeningTransport(policy, limits, options)
  transport.node = await createLibp2p(await listeningInit(transport, policy, limits, options))
  policy.addOwn([...transport.node.getMultiaddrs(), ...(options.announce ?? []).map(parseAddress)])
  await transport.handle(kadProtocol, (stream, remote) => answerKad(transport.node, stream, remote))
  return transport
}

async function listeningInit(
  transport: Libp2pListeningTransport,
  policy: AddressPolicy,
  limits: ListeningLimits,
  options: ListeningOptions,
): Promise<Libp2pOptions> {
  const client = await clientInit(transport, policy, options)
  const muxer = {
    maxOutboundStreams: maxStreamsPerProtocol,
    maxInboundStreams: limits.streamsPerPeer,
    maxEarlyStreams,
  }
  const bound = new ConnectionBound(limits.connectionsPerHost, () =>
    transport.node.getConnections().map(({ remoteAddr }) => remoteAddr),
  )
  const dialOpts = { noDelay: true, lookup: policy.lookup }
  return {
    ...client,
    addresses: { listen: [...options.listen], announce: [...(options.announce ?? [])] },
    transports: [tcp({ dialOpts }), lazyWebSockets(), circuitRelayTransport()],
    streamMuxers: [boundedYamux(muxer, maxStreamWindowBytes)],
    connectionGater: {
      ...client.connectionGater,
      denyInboundConnection: ({ remoteAddr }) => bound.isFull(remoteAddr),
    },
    connectionManager: {
      ...client.connectionManager,
      maxConnections: limits.connections,
      inboundConnectionThreshold: limits.connectionsPerSecond,
      maxIncomingPendingConnections: maxPendingConnections,
    },
    services: {
      identify: identify(),
      identifyPush: identifyPush(),
      ping: ping(),
      ...(options.relay ? { relay: circuitRelayServer({ reservations: relayLimits }) } : {}),
    },
  }
}

class Libp2pListeningTransport extends Libp2pTransport implements ListeningTransport {
  readonly #streams: Shares
  readonly #unread: UnreadBound
  readonly #logger: Logger

  constructor(policy: AddressPolicy, limits: ListeningLimits, options: ListeningOptions) {
    super(options.connectTimeoutMs, policy)
    this.#streams = new Shares(limits.streams, limits.streamsPerPeer)
    this.#unread = new UnreadBound(limits.unreadBytes)
    this.#logger = options.logger ?? silentLogger
  }

  get addresses(): readonly string[] {
    return this.node.getMultiaddrs().map(String)
  }

  get load(): ListeningTransport['load'] {
    return { connections: this.node.getConnections().length, streams: this.#streams.count }
  }

  async handle(protocol: string, handler: StreamHandler): Promise<void> {
    const most = maxStreamsPerProtocol
    await this.node.handle(protocol, (stream, connection) => this.#serve(stream, connection, handler), {
      maxInboundStreams: most,
      maxOutboundStreams: most,
      runOnLimitedConnection: true,
    })
  }

  #serve(stream: Stream, { remotePeer, remoteAddr, limits }: Connection, handler: StreamHandler): void {
    const remote = remotePeer.toString() as PeerId
    const origin = originOf(remoteAddr) ?? remote
    const release = this.#streams.take(remote, origin)
    if (!release) return stream.abort(new Error('The peer has too many open streams.'))
    const bytes = new Libp2pByteStream(stream, remote, { limits, highWaterBytes })
    const untrack = this.#unread.track(remote, origin, bytes)
    handler(bytes, remote, closedSignal(stream, remote))
      .then(
        () => bytes[Symbol.asyncDispose](),
        (error: unknown) => {
          this.#logger.debug({ err: error, protocol: stream.protocol, peer: remote }, 'reset a stream')
          bytes.abort(asError(error))
        },
      )
      .finally(() => {
        untrack()
        release()
      })
      .catch(() => {}) // the stream is gone
  }

  report(error: unknown, protocol: string, remote: PeerId): void {
    this.#logger.warn({ err: error, protocol, peer: remote }, 'a request failed')
  }

  originOf(peer: PeerId): string | undefined {
    const [connection] = this.node.getConnections(peerIdFromString(peer))
    return connection && originOf(connection.remoteAddr)
  }

  async unhandle(protocol: string): Promise<void> {
    await this.node.unhandle(protocol)
  }

  async dialBack(peer: PeerId, signal: AbortSignal): Promise<boolean> {
    const addresses = await directAddresses(this.node, peer, signal)
    if (addresses.length === 0) return false
    try {
      const connection = await this.node.dial(addresses, { force: true, signal })
      const isThem = connection.remotePeer.toString() === peer
      await connection.close({ signal }).catch((error: Error) => connection.abort(error))
      return isThem
    } catch {
      return false
    }
  }
}

async function directAddresses(node: Libp2p, peer: PeerId, signal: AbortSignal) {
  const id = peerIdFromString(peer)
  const known = await knownAddresses(node, id, signal)
  const found = known.length > 0 ? [] : await lookUp(node, id, signal)
  return [...known, ...found]
    .filter((address) => !address.toString().includes('/p2p-circuit'))
    .map((address) =>
      /\/p2p\/\w+$/.test(address.toString()) ? address : address.encapsulate(`/p2p/${peer}`),
    )
}

/** A peer that has just connected tells its addresses in a moment (identify). */
async function knownAddresses(node: Libp2p, id: ReturnType<typeof peerIdFromString>, signal: AbortSignal) {
  const endsAt = performance.now() + identifyMs
  for (;;) {
    const peer = await node.peerStore.get(id).catch(() => undefined)
    const addresses = peer?.addresses.map(({ multiaddr }) => multiaddr) ?? []
    const isComing = node.getConnections(id).length > 0 && performance.now() < endsAt && !signal.aborted
    if (addresses.length > 0 || !isComing) return addresses
    await delay(identifyPollMs)
  }
}

const lookUp = async (node: Libp2p, id: ReturnType<typeof peerIdFromString>, signal: AbortSignal) =>
  (await node.peerRouting.findPeer(id, { signal }).catch(() => undefined))?.multiaddrs ?? []

function closedSignal(stream: Stream, peer: PeerId): AbortSignal {
  const closed = new AbortController()
  const lost = ({ error: cause }: { readonly error?: Error } = {}): void =>
    closed.abort(new ConnectionLostError(`Peer ${peer} has ended the stream.`, { peer, cause }))
  if (stream.status === 'open') stream.addEventListener('close', lost)
  else lost()
  return closed.signal
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)))
