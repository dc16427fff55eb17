import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net'

/** How the link transports bytes. */
export type LinkState =
  | { readonly kind: 'open' }
  /** Drops the bytes of both directions; connections stay open. */
  | { readonly kind: 'blackhole' }
  /** Drops only the bytes that the server sends. */
  | { readonly kind: 'half-open' }
  /** Limits the rate towards the client. */
  | { readonly kind: 'slow'; readonly bytesPerSecond: number }

/** A TCP relay in front of a peer that can fail in the ways in which network links fail. */
export class FaultyLink implements AsyncDisposable {
  state: LinkState = { kind: 'open' }
  /** One-way delay of each chunk. */
  latencyMs = 0
  /** Resets every connection after this many further bytes towards the client. */
  cutAfterBytes = Infinity
  /** Bytes that were dropped so far. */
  droppedBytes = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  /** @param targetPort the port of the peer, which may start listening later */
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

  /** Resets all TCP connections. */
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
    if (kind === 'blackhole' || (kind === 'half-open' && direction === 'down')) {
      this.droppedBytes += chunk.length
      return
    }
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
