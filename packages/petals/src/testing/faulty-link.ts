import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net'

/** How bytes travel from the server to the client, and whether they do. */
export type LinkState =
  | { readonly kind: 'open' }
  /** Both directions swallow everything; connections stay. */
  | { readonly kind: 'blackhole' }
  /** Only what the server sends is swallowed. */
  | { readonly kind: 'half-open' }
  /** At most so many bytes per second towards the client. */
  | { readonly kind: 'slow'; readonly bytesPerSecond: number }

/** A TCP relay in front of a peer that can break in the ways that links do. */
export class FaultyLink implements AsyncDisposable {
  state: LinkState = { kind: 'open' }
  /** One way, added to each chunk. */
  latencyMs = 0
  /** Cut every connection after so many more bytes towards the client. */
  cutAfterBytes = Infinity
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  /** `targetPort`: of the peer, which may start listening later. */
  static async start(targetPort: number): Promise<FaultyLink> {
    const link = new FaultyLink(targetPort)
    await new Promise<void>((resolve) => link.#server.listen(0, '127.0.0.1', resolve))
    return link
  }

  private constructor(targetPort: number) {
    this.#server = createServer((client) => this.#relay(client, targetPort))
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Breaks all connections with a TCP reset. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #relay(client: Socket, targetPort: number): void {
    const server = connect(targetPort, '127.0.0.1')
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        this.#sockets.delete(socket)
        client.destroy()
        server.destroy()
      })
    }
    client.on('data', (chunk) => this.#deliver(chunk, server, 'up'))
    server.on('data', (chunk) => this.#deliver(chunk, client, 'down'))
  }

  #deliver(chunk: Buffer, target: Socket, direction: 'up' | 'down'): void {
    const { kind } = this.state
    if (kind === 'blackhole' || (kind === 'half-open' && direction === 'down')) return
    if (direction === 'up') return this.#send(chunk, target)
    if (chunk.length >= this.cutAfterBytes) {
      target.write(chunk.subarray(0, this.cutAfterBytes), () => this.reset())
      this.cutAfterBytes = Infinity
      return
    }
    this.cutAfterBytes -= chunk.length
    if (this.state.kind === 'slow') this.#trickle(chunk, target, this.state.bytesPerSecond)
    else this.#send(chunk, target)
  }

  #send(chunk: Buffer, target: Socket): void {
    if (this.latencyMs === 0) target.write(chunk)
    else setTimeout(() => target.write(chunk), this.latencyMs)
  }

  #trickle(chunk: Buffer, target: Socket, bytesPerSecond: number): void {
    const piece = Math.max(1, Math.floor(bytesPerSecond / 20))
    for (let start = 0; start < chunk.length; start += piece) {
      const delayMs = (start / piece) * 50
      setTimeout(() => target.write(chunk.subarray(start, start + piece)), delayMs).unref()
    }
  }
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
