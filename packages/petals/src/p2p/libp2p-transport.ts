import { noise } from '@chainsafe/libp2p-noise'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import type { Connection, Libp2p, PeerId as Libp2pPeerId, PrivateKey } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import type { Multiaddr } from '@multiformats/multiaddr'
import { abortable, type AbortOptions } from '@petals-chat/engine'
import { createLibp2p, type Libp2pOptions } from 'libp2p'
import { ConnectionLostError, PeerUnreachableError, SwarmUnreachableError } from '../errors.ts'
import { withAddressTimeouts, type AddressTimeouts } from './address-timeouts.ts'
import { AddressPolicy, maxAddressesPerPeer, type PrivateAddresses } from './address-policy.ts'
import { boundedYamux } from './bounded-yamux.ts'
import { freshIdentity } from './identity.ts'
import { dialReasons } from './dial-reasons.ts'
import { JoinTime } from './join-time.ts'
import { KadPeerRouting } from './kad-peer-routing.ts'
import { lazyWebSockets } from './lazy-websockets.ts'
import { groupByPeer, peerOf, type InitialPeer } from './multiaddrs.ts'
import type { PeerId } from './peer-id.ts'
import { earlyStream, maxStreamsPerProtocol, negotiatedStream } from './stream-opening.ts'
import type { ByteStream, ConnectionInfo, OpenStreamOptions, SwarmTransport } from './swarm-transport.ts'

export interface TransportOptions {
  /** This node's identity. Default: a new Ed25519 key pair. */
  readonly privateKey?: PrivateKey | undefined
  /** For opening a stream: lookup, dialling and negotiation together. */
  readonly connectTimeoutMs: number
  /** Whether addresses of private networks that peers announce are dialled. Default `auto`: only in a private swarm. */
  readonly privateAddresses?: PrivateAddresses | undefined
}

/** Bytes that libp2p buffers for one stream, at most: enough for 40 MB/s at a round trip of 100 ms. */
const maxStreamWindowBytes = 4 * 1024 * 1024

/** Enough for a model on hundreds of servers, with several sessions on each. */
const maxConnections = 512
/** No peer needs more than a few streams to a client: those of libp2p's own protocols. */
const maxInboundStreams = 16

/**
 * The addresses of one peer are dialled one after another: a dead one must not use up the whole timeout. The answer to a
 * stream's header on an existing connection, which may be dead, gets the same share of the timeout before a new connection
 * is made.
 */
const shareOfTimeout = 0.4

/** Nothing waits for the handshakes of an initial peer but the join, and its line may be slow: they take 3 round trips. */
const joinUpgradeMs = 20_000

/** A call on a new connection takes one round trip more than connecting does; the rest is for lines that vary. */
const patienceFactor = 2

/** Longer than all timeouts of this module, which are shorter where there is a hurry. */
const neverMs = 3_600_000

/** Creates a client node: it dials other peers, and no peer can dial it. */
export async function createLibp2pTransport(options: TransportOptions): Promise<SwarmTransport> {
  const policy = new AddressPolicy(options.privateAddresses)
  const transport = new Libp2pTransport(options.connectTimeoutMs, policy)
  transport.node = await createLibp2p(await clientInit(transport, policy, options))
  return transport
}

/** The options of a node that only dials. */
export async function clientInit(
  transport: Libp2pTransport,
  policy: AddressPolicy,
  options: TransportOptions,
): Promise<Libp2pOptions> {
  // The options of node:net, of which libp2p's type knows a few only.
  const dialOpts = { noDelay: true, lookup: policy.lookup }
  const timeouts = (address: Multiaddr): AddressTimeouts => transport.addressTimeouts(address)
  return {
    privateKey: options.privateKey ?? (await freshIdentity()),
    transports: [
      withAddressTimeouts(tcp({ dialOpts }), timeouts),
      withAddressTimeouts(lazyWebSockets(), timeouts),
      // The relay is connected to meanwhile, too.
      withAddressTimeouts(circuitRelayTransport(), (address) => {
        const { connectMs, upgradeMs } = timeouts(address)
        return { connectMs: connectMs + upgradeMs, upgradeMs }
      }),
    ],
    connectionEncrypters: [noise()],
    streamMuxers: [
      boundedYamux({ maxOutboundStreams: maxStreamsPerProtocol, maxInboundStreams }, maxStreamWindowBytes),
    ],
    connectionGater: {
      denyDialMultiaddr: (address) => !policy.isKnownForm(address),
      filterMultiaddrForPeer: (_peer, address) => policy.allows(address),
    },
    peerRouters: [() => transport.routing],
    connectionManager: {
      maxConnections,
      maxPeerAddrsToDial: maxAddressesPerPeer,
      dialTimeout: neverMs,
      addressDialTimeout: neverMs,
    },
    connectionMonitor: { enabled: false }, // deadlines of calls notice a dead connection sooner, and without traffic
    services: { identify: identify(), ping: ping() },
  }
}

/** A stream that is being opened. */
interface Opening {
  readonly peer: PeerId
  readonly protocol: string
  readonly signal: AbortSignal
  readonly timeoutMs: number
  readonly onOpen: (() => void) | undefined
  readonly failAsUnreachable: (error: unknown) => never
}

/** A node of libp2p. `node` is set before its first use. */
export class Libp2pTransport implements SwarmTransport {
  node!: Libp2p
  readonly routing: KadPeerRouting
  readonly #connectTimeoutMs: number
  readonly #policy: AddressPolicy
  readonly #initialPeers: PeerId[] = []
  /** Initial peers that are being dialled. */
  readonly #joining = new Set<InitialPeer>()
  readonly #joinTime = new JoinTime()

  constructor(connectTimeoutMs: number, policy: AddressPolicy) {
    this.#connectTimeoutMs = connectTimeoutMs
    this.#policy = policy
    this.routing = new KadPeerRouting({
      allows: policy.allows,
      seeds: () => this.node.getPeers().map((peer) => peer.toString() as PeerId),
      openStream: (peer, multiaddrs, protocol, signal) => this.#openAt(peer, multiaddrs, protocol, signal),
      patience: (ms) => this.patience(ms),
    })
  }

  get localPeer(): PeerId {
    return this.node.peerId.toString() as PeerId
  }

  get initialPeers(): readonly PeerId[] {
    return this.#initialPeers
  }

  patience(timeoutMs: number): number {
    return Math.max(timeoutMs, patienceFactor * this.#joinTime.ms)
  }

  /** Returns how long the address may take. Those of initial peers get more time for their handshakes. */
  addressTimeouts(address: Multiaddr): AddressTimeouts {
    const connectMs = this.#connectTimeoutMs * shareOfTimeout
    const id = peerOf(address)
    // A peer whose id is unknown may be any.
    const isJoin = [...this.#joining].some(({ peer = id }) => peer === id)
    const onConnected = (joinMs: number): void => this.#joinTime.note(Math.ceil(joinMs))
    if (isJoin) return { connectMs, upgradeMs: joinUpgradeMs, onConnected }
    const ms = Math.max(connectMs, patienceFactor * this.#joinTime.ms)
    const isInitial = id !== undefined && this.#initialPeers.includes(id)
    return { connectMs: ms, upgradeMs: ms, onConnected: isInitial ? onConnected : undefined }
  }

  async connect(multiaddrs: readonly string[], { signal }: AbortOptions = {}): Promise<void> {
    const peers = groupByPeer(multiaddrs)
    await abortable(this.#policy.trust(multiaddrs), signal)
    try {
      await Promise.any(peers.map((peer) => this.#connectInitial(peer, signal)))
    } catch (cause) {
      signal?.throwIfAborted()
      const who =
        peers.length === 1
          ? 'its only initial peer does not answer'
          : `none of its ${peers.length} initial peers answers`
      throw new SwarmUnreachableError(`${who} (${dialReasons(cause)})`, { cause })
    }
  }

  async openStream(peer: PeerId, protocol: string, options: OpenStreamOptions = {}): Promise<ByteStream> {
    const timeoutMs = this.patience(options.timeoutMs ?? this.#connectTimeoutMs)
    const timeout = AbortSignal.timeout(timeoutMs)
    const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout
    const failAsUnreachable = (error: unknown): never => {
      options.signal?.throwIfAborted()
      if (error instanceof PeerUnreachableError || error instanceof ConnectionLostError) throw error
      const reason = timeout.aborted ? `no answer within ${timeoutMs} ms` : dialReasons(error)
      throw new PeerUnreachableError(`Peer ${peer} can't be reached: ${reason}.`, { peer, cause: error })
    }
    const opening = { peer, protocol, signal, timeoutMs, onOpen: options.onOpen, failAsUnreachable }
    return await this.#openEarly(opening).catch(failAsUnreachable)
  }

  connection(peer: PeerId): ConnectionInfo | undefined {
    const connection = this.#openConnection(peerIdFromString(peer))
    return connection && { address: connection.remoteAddr.toString(), relayed: !connection.direct }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // libp2p's own graceful close takes half a second, and the owners of all streams have ended them by now.
    for (const connection of this.node.getConnections())
      connection.abort(new Error('The transport was closed.'))
    await this.node.stop()
  }

  async #connectInitial(initial: InitialPeer, signal: AbortSignal | undefined): Promise<void> {
    this.#joining.add(initial)
    try {
      await this.#addInitial(await this.node.dial([...initial.multiaddrs], signal ? { signal } : {}))
    } finally {
      this.#joining.delete(initial)
    }
  }

  async #addInitial(connection: Connection): Promise<void> {
    // Where a name stood for several addresses, the one that was dialled is known only now.
    this.#policy.trustAddress(connection.remoteAddr)
    await this.node.peerStore.merge(connection.remotePeer, { multiaddrs: [connection.remoteAddr] })
    const peer = connection.remotePeer.toString() as PeerId
    if (!this.#initialPeers.includes(peer)) this.#initialPeers.push(peer)
  }

  /** Opens a stream on an existing connection, or a new one, before the peer has agreed to the protocol. */
  async #openEarly(opening: Opening): Promise<ByteStream> {
    const { peer, protocol, signal, timeoutMs, onOpen, failAsUnreachable } = opening
    const id = peerIdFromString(peer)
    const existing = this.#openConnection(id)
    const connection = existing ?? (await this.#dial(id, false, signal))
    let answer = signal
    const stream = await earlyStream(connection, {
      peer,
      protocol,
      answerTimeout: () => {
        if (existing)
          answer = AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(timeoutMs * shareOfTimeout))])
        return answer
      },
      // The connection may be dead without notice. Streams on it are left open: it may also only be busy.
      reopen: (over) =>
        this.#reopen(opening, answer.aborted ? undefined : connection, AbortSignal.any([signal, over])).catch(
          failAsUnreachable,
        ),
    })
    onOpen?.()
    return stream
  }

  /** Opens a stream again: on the connection that reset the first attempt if it still works, else on a new one. */
  async #reopen(
    { peer, protocol, timeoutMs, onOpen }: Opening,
    connection: Connection | undefined,
    signal: AbortSignal,
  ): Promise<ByteStream> {
    signal.throwIfAborted()
    const stream =
      (connection && (await this.#negotiateAgain(connection, peer, protocol, signal, timeoutMs))) ??
      (await negotiatedStream(await this.#dial(peerIdFromString(peer), true, signal), peer, protocol, signal))
    onOpen?.()
    return stream
  }

  /** Returns undefined if the connection seems dead. */
  async #negotiateAgain(
    connection: Connection,
    peer: PeerId,
    protocol: string,
    signal: AbortSignal,
    timeoutMs: number,
  ): Promise<ByteStream | undefined> {
    const answer = AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(timeoutMs * shareOfTimeout))])
    try {
      return await negotiatedStream(connection, peer, protocol, answer)
    } catch (error) {
      if (error instanceof PeerUnreachableError) throw error
      signal.throwIfAborted()
      return undefined
    }
  }

  /** Opens a stream for the lookup of addresses. */
  async #openAt(
    peer: Libp2pPeerId,
    multiaddrs: readonly Multiaddr[],
    protocol: string,
    signal: AbortSignal,
  ): Promise<ByteStream> {
    const connection = this.#openConnection(peer) ?? (await this.node.dial([...multiaddrs], { signal }))
    const id = peer.toString() as PeerId
    return await earlyStream(connection, {
      peer: id,
      protocol,
      answerTimeout: () => signal,
      reopen: (over) => negotiatedStream(connection, id, protocol, AbortSignal.any([signal, over])),
    })
  }

  /** Dials the known addresses, then those that other peers know. */
  async #dial(peer: Libp2pPeerId, force: boolean, signal: AbortSignal): Promise<Connection> {
    try {
      return await this.node.dial(peer, { signal, force })
    } catch (error) {
      signal.throwIfAborted()
      const tried = await this.#knownAddresses(peer)
      const { multiaddrs } = await this.routing.findPeer(peer, { signal }).catch((cause: unknown) => {
        if (cause instanceof PeerUnreachableError) throw cause
        return { multiaddrs: [] as Multiaddr[] }
      })
      const untried = multiaddrs.filter((address) => !tried.has(address.toString()))
      if (untried.length === 0) throw error
      return await this.node.dial(
        untried.map((address) => withPeerId(address, peer)),
        { signal, force },
      )
    }
  }

  async #knownAddresses(peer: Libp2pPeerId): Promise<ReadonlySet<string>> {
    const known = await this.node.peerStore.get(peer).catch(() => undefined)
    return new Set(known?.addresses.map(({ multiaddr }) => multiaddr.toString()))
  }

  /** Returns the latest open connection; a direct one if there is one. */
  #openConnection(peer: Libp2pPeerId): Connection | undefined {
    const open = this.node.getConnections(peer).filter(({ status }) => status === 'open')
    return open.findLast(({ direct }) => direct) ?? open.at(-1)
  }
}

const withPeerId = (address: Multiaddr, peer: Libp2pPeerId): Multiaddr =>
  address.toString().endsWith(`/p2p/${peer.toString()}`)
    ? address
    : address.encapsulate(`/p2p/${peer.toString()}`)
