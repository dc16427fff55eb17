import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { globSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { peerIdBytes, type PeerId } from '../../../packages/petals/src/p2p/peer-id.ts'
import { ProtobufReader, ProtobufWriter } from '../../../packages/petals/src/wire/protobuf.ts'
import { lengthPrefixed, readLengthPrefixed } from '../../../packages/petals/src/wire/varint.ts'
import { cacheFolder } from '../../../swarm/paths.ts'
import { SocketReader } from './socket-reader.ts'
import { serveUnary, type UnaryHandler } from './unary-handler.ts'

/** hivemind's libp2p daemon (Go), as its Python package contains it. */
const [binary = 'p2pd'] = globSync(
  path.join(cacheFolder, 'python/swarm/lib/python3*/site-packages/hivemind/hivemind_cli/p2pd'),
)

/** Types of requests to the daemon (`p2pd.proto`). */
const types = { connect: 1, openStream: 2, handleStream: 3, listPeers: 5, disconnect: 7, upgrade: 9 }
const maxMessageBytes = 5 * 1024 * 1024
const notBalanced = Uint8Array.of(0x18, 0)

export interface P2pdOptions {
  /** Default: a TCP port of 127.0.0.1 that the system chooses. */
  readonly listen?: readonly string[]
  /** Default: an Ed25519 key that the daemon makes. */
  readonly key?: PrivateKey
  readonly args?: readonly string[]
}

/** The other end of a stream, as a program behind the daemon sees it. */
export interface DaemonStream {
  readonly socket: Socket
  readonly reader: SocketReader
}

/** A process of p2pd, driven by its control socket as hivemind drives it. */
export class P2pd implements AsyncDisposable {
  readonly #process: ChildProcess
  readonly #folder: string
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()
  readonly id: PeerId
  /** Multiaddrs that contain the id. */
  readonly addresses: readonly string[]

  static async start({ listen = ['/ip4/127.0.0.1/tcp/0'], key, args = [] }: P2pdOptions = {}): Promise<P2pd> {
    const folder = await mkdtemp(path.join(tmpdir(), 'p2pd-'))
    const keyFile = path.join(folder, 'key')
    if (key) await writeFile(keyFile, privateKeyToProtobuf(key))
    const identity = key ? [`-id=${keyFile}`] : []
    const listening = [`-listen=/unix${folder}/control`, `-hostAddrs=${listen.join(',')}`]
    const child = spawn(binary, [...listening, ...identity, ...args], { stdio: ['ignore', 'pipe', 'ignore'] })
    const { id, addresses } = await readGreeting(child)
    return new P2pd(child, folder, id, addresses)
  }

  private constructor(child: ChildProcess, folder: string, id: PeerId, addresses: readonly string[]) {
    this.#process = child
    this.#folder = folder
    this.id = id
    this.addresses = addresses.map((address) => `${address}/p2p/${id}`)
  }

  get address(): string {
    return this.addresses[0]!
  }

  /** Serves a streaming protocol: the daemon connects to this process for every stream. */
  async handle(protocol: string, handler: (stream: DaemonStream) => Promise<void>): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#keep(socket)
      const reader = new SocketReader(socket)
      readMessage(reader) // StreamInfo
        .then(() => handler({ socket, reader }))
        .catch(() => socket.destroy())
    })
    this.#servers.push(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { readonly port: number }
    const request = new ProtobufWriter()
      .requiredBytes(1, multiaddr(`/ip4/127.0.0.1/tcp/${port}`).bytes)
      .requiredString(2, protocol)
    const { socket } = await this.#ask(types.handleStream, 4, Buffer.concat([request.finish(), notBalanced]))
    socket.end()
  }

  /** Serves a unary method. Returns the ids of the calls that their callers have cancelled. */
  async handleUnary(method: string, handler: UnaryHandler): Promise<readonly string[]> {
    return await serveUnary(await this.#ask(types.upgrade), method, handler)
  }

  async connect(peer: PeerId, addresses: readonly string[]): Promise<void> {
    const request = new ProtobufWriter().requiredBytes(1, peerIdBytes(peer)).repeatedBytes(
      2,
      addresses.map((address) => multiaddr(address).bytes),
    )
    const { socket } = await this.#ask(types.connect, 2, request.finish())
    socket.end()
  }

  async openStream(peer: PeerId, protocol: string): Promise<DaemonStream> {
    const request = new ProtobufWriter().requiredBytes(1, peerIdBytes(peer)).requiredString(2, protocol)
    return await this.#ask(types.openStream, 3, request.finish())
  }

  async disconnect(peer: PeerId): Promise<void> {
    const request = new ProtobufWriter().requiredBytes(1, peerIdBytes(peer))
    const { socket } = await this.#ask(types.disconnect, 7, request.finish())
    socket.end()
  }

  async connectedPeers(): Promise<number> {
    const { socket, answer } = await this.#ask(types.listPeers)
    socket.end()
    const reader = new ProtobufReader(answer)
    let count = 0
    while (reader.next()) {
      if (reader.field === 6) count++
      reader.skip()
    }
    return count
  }

  /** Ends the process at once, as a power cut does. */
  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const exit = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await exit
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    for (const socket of this.#sockets) socket.destroy()
    for (const server of this.#servers) server.close()
    await rm(this.#folder, { recursive: true, force: true })
  }

  /** Sends one request on a connection of its own, which is the stream after the answer if one was opened. */
  async #ask(
    type: number,
    field?: number,
    request: Uint8Array = new Uint8Array(0),
  ): Promise<DaemonStream & { readonly answer: Uint8Array }> {
    const socket = this.#keep(connect({ path: path.join(this.#folder, 'control'), allowHalfOpen: true }))
    const body = field === undefined ? [] : [new ProtobufWriter().requiredBytes(field, request).finish()]
    socket.write(lengthPrefixed(Buffer.concat([Uint8Array.of(8, type), ...body])))
    const reader = new SocketReader(socket)
    const answer = await readMessage(reader)
    if (answer[1] !== 0) throw new Error(`p2pd: ${Buffer.from(answer).toString('utf8')}`)
    return { socket, reader, answer }
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#sockets.delete(socket))
    return socket
  }
}

const readMessage = (reader: SocketReader): Promise<Uint8Array> =>
  readLengthPrefixed((length) => reader.read(length), maxMessageBytes)

/** Reads what the daemon prints when it is ready: its control socket, its id, and the addresses it listens on. */
async function readGreeting(
  child: ChildProcess,
): Promise<{ readonly id: PeerId; readonly addresses: readonly string[] }> {
  const lines = createInterface({ input: child.stdout! })
  const addresses: string[] = []
  let id: string | undefined
  const exit = once(child, 'exit').then(() => lines.close())
  void exit.catch(() => undefined)
  for await (const line of lines) {
    const peer = /^Peer ID: (\w+)/.exec(line)?.[1]
    if (peer) id = peer
    else if (line.startsWith('/')) addresses.push(line.trim())
    if (id && addresses.length > 0) break
  }
  child.stdout!.resume()
  if (!id) throw new Error('p2pd ended before it was ready.')
  return { id: id as PeerId, addresses }
}
