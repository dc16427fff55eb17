import { createServer, connect, type AddressInfo, type Socket } from 'node:net'

export type Direction = 'to-server' | 'to-client'

/** How a relay treats the bytes that pass it. All conditions can change while connections are open. */
export interface RelayConditions {
  /** Latency of each direction; the round trip grows by twice this. */
  latencyMs?: number
  /** Random additional latency from 0 to this. The order is kept. */
  jitterMs?: number
  /** Bytes per second in each direction. */
  bandwidth?: number
  /** Directions in which all bytes are dropped; the connections stay open. */
  blackhole?: readonly Direction[]
  /** Reset the connection after this many more bytes to the client. */
  cutAfterBytes?: number
}

/** A TCP relay on loopback in front of a server, for latencies and faults that the kernel can't simulate here. */
export interface Relay extends AsyncDisposable {
  readonly port: number
  readonly conditions: RelayConditions
  readonly connections: number
  /** Replaces the conditions, also for open connections. */
  set(conditions: RelayConditions): void
  /** Ends all open connections with a TCP reset. New ones are accepted. */
  reset(): void
  /** Refuses new connections (and lets them in again). */
  refuse(on: boolean): void
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** The bytes in flight in one direction: each chunk is delivered when it is due, in order. */
class Pipe {
  readonly #relay: RelayState
  readonly #direction: Direction
  readonly #target: Socket
  #last: Promise<void> = Promise.resolve()
  #freeAt = 0

  constructor(relay: RelayState, direction: Direction, source: Socket, target: Socket) {
    this.#relay = relay
    this.#direction = direction
    this.#target = target
    source.on('data', (chunk: Buffer) => this.#pass(source, chunk))
    source.on('end', () => void this.#last.then(() => target.end()))
    source.on('close', () => void this.#last.then(() => target.destroy()))
    source.on('error', () => target.destroy())
  }

  #pass(source: Socket, chunk: Buffer): void {
    const { latencyMs = 0, jitterMs = 0, bandwidth } = this.#relay.conditions
    const now = Date.now()
    const onWireMs = bandwidth === undefined ? 0 : (chunk.length / bandwidth) * 1000
    this.#freeAt = Math.max(this.#freeAt, now) + onWireMs
    const due = this.#freeAt + latencyMs + Math.random() * jitterMs
    // A slow link must slow its sender down, or the relay would buffer everything in memory.
    if (due - now > 2000) {
      source.pause()
      setTimeout(() => source.resume(), onWireMs)
    }
    this.#last = this.#last.then(async () => {
      const wait = due - Date.now()
      if (wait > 0.5) await pause(wait)
      this.#deliver(chunk)
    })
  }

  #deliver(chunk: Buffer): void {
    const { conditions } = this.#relay
    if (conditions.blackhole?.includes(this.#direction) || this.#target.destroyed) return
    if (this.#direction === 'to-client' && conditions.cutAfterBytes !== undefined) {
      const left = conditions.cutAfterBytes
      conditions.cutAfterBytes = Math.max(0, left - chunk.length)
      if (chunk.length >= left) {
        this.#target.write(chunk.subarray(0, left), () => this.#target.resetAndDestroy())
        return
      }
    }
    this.#target.write(chunk)
  }
}

interface RelayState {
  conditions: RelayConditions
}

export async function startRelay(targetPort: () => number, initial: RelayConditions = {}): Promise<Relay> {
  const state: RelayState = { conditions: { ...initial } }
  const sockets = new Set<Socket>()
  let refusing = false
  const server = createServer((client) => {
    if (refusing) {
      client.resetAndDestroy()
      return
    }
    const upstream = connect({ host: '127.0.0.1', port: targetPort() })
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true)
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    }
    new Pipe(state, 'to-server', client, upstream)
    new Pipe(state, 'to-client', upstream, client)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const reset = (): void => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    get conditions() {
      return state.conditions
    },
    get connections() {
      return sockets.size / 2
    },
    set: (conditions) => (state.conditions = { ...conditions }),
    reset,
    refuse: (on) => (refusing = on),
    async [Symbol.asyncDispose]() {
      reset()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
