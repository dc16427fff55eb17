import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { CapacityError } from '@petals-chat/engine'
import type { RawData, WebSocket } from 'ws'
import { z } from 'zod'
import type { ClientAddress } from '../client-address.ts'
import { AuthenticationError, GatewayError } from '../errors.ts'
import { isLoopbackHost } from '../host-address.ts'
import { ClientCap } from './client-cap.ts'
import { tooManyOpen } from './connection-cap.ts'

/** What sockets without a key may take. */
export interface KeylessBounds {
  /** Milliseconds for the first message. An honest client has it ready when its socket opens. */
  readonly timeoutMs: number
  /** Bytes of the first message. */
  readonly maxMessageBytes: number
  /** Sockets of one client address that wait at the same time. */
  readonly maxPerClient: number
  /** Sockets of all clients that wait at the same time. */
  readonly maxTogether: number
}

/** The message may be many times as long as one that opens or resumes a session. */
const defaultBounds: KeylessBounds = {
  timeoutMs: 10_000,
  maxMessageBytes: 8_192,
  maxPerClient: 32,
  maxTogether: 512,
}

export interface KeylessSocketHandlers {
  /** Takes the key, and the message that had it. Called at most once. @throws Error if the key does not count. */
  readonly take: (key: string, message: string) => void
  /** Tells the client why its socket ends. Called at most once. */
  readonly refuse: (error: unknown) => void
}

/**
 * WebSockets that were opened without a credential on a server that asks for one. Their first message has to bring a key,
 * since browsers can't set the headers of an upgrade. Until then they cost little: a bounded number of them waits for a
 * bounded time, and each may send a bounded number of bytes. Where more come than may wait, the one that waits longest
 * gives way, so that strangers can't keep out a client that sends its key at once.
 */
export class KeylessSockets {
  readonly #drainSignal: AbortSignal
  readonly #bounds: KeylessBounds
  readonly #perClient: ClientCap
  /** What leaves when its socket is served or closed. */
  readonly #leave = new WeakMap<Duplex, () => void>()
  /** Ends sockets that wait, the oldest first. */
  readonly #waiting = new Set<(error: Error) => void>()

  /** `drainSignal`: aborts when the server shuts down, which ends all that wait. */
  constructor(drainSignal: AbortSignal, bounds: KeylessBounds = defaultBounds) {
    this.#drainSignal = drainSignal
    this.#bounds = bounds
    this.#perClient = new ClientCap(bounds.maxPerClient)
  }

  /** Counts a socket before its upgrade. @throws RateLimitError if its address has as many that wait as it may. */
  admit(client: ClientAddress, socket: Duplex): void {
    if (isLoopbackHost(client.address)) return
    const leave = this.#perClient.tryOpen(client.network)
    if (leave === undefined) throw tooManyOpen(this.#bounds.maxPerClient, 'WebSockets without an API key')
    this.#leave.set(socket, leave)
    socket.once('close', leave)
  }

  /** Waits for the key of a socket that was admitted. `socket`: the connection below it. */
  awaitKey(webSocket: WebSocket, socket: Socket, { take, refuse }: KeylessSocketHandlers): void {
    const { timeoutMs, maxMessageBytes } = this.#bounds
    const end = (error: unknown) => {
      stop()
      refuse(error)
    }
    const onMessage = (data: RawData) => {
      stop()
      try {
        const message = boundedText(data, maxMessageBytes)
        take(keyIn(message), message)
      } catch (error) {
        refuse(error)
      }
    }
    const onData = byteBound(maxMessageBytes, () => {
      end(tooLong(maxMessageBytes))
      webSocket.pause()
    })
    const onDrain = () => end(this.#drainSignal.reason)
    const timer = setTimeout(() => end(noKeyInTime(timeoutMs)), timeoutMs)
    const stop = () => {
      clearTimeout(timer)
      this.#leave.get(socket)?.()
      this.#waiting.delete(end)
      this.#drainSignal.removeEventListener('abort', onDrain)
      socket.off('data', onData)
      webSocket.off('message', onMessage).off('close', stop)
    }
    socket.prependListener('data', onData)
    webSocket.on('message', onMessage).on('close', stop)
    this.#drainSignal.addEventListener('abort', onDrain)
    this.#makeRoom()
    this.#waiting.add(end)
    if (this.#drainSignal.aborted) onDrain()
  }

  #makeRoom(): void {
    const [oldest] = this.#waiting
    if (this.#waiting.size >= this.#bounds.maxTogether) oldest?.(tooManyWait())
  }
}

/** Counts bytes. What came with the last packet may belong to later messages of a client that does not wait for answers. */
function byteBound(max: number, onExcess: () => void): (chunk: Buffer) => void {
  let bytes = 0
  return ({ length }) => {
    if (bytes > max) onExcess()
    bytes += length
  }
}

function boundedText(data: RawData, max: number): string {
  const text = data.toString()
  if (Buffer.byteLength(text) > max) throw tooLong(max)
  return text
}

const withKey = z.looseObject({ api_key: z.string().trim().min(1) })

/** @throws AuthenticationError if the message has none. */
function keyIn(message: string): string {
  try {
    return withKey.parse(JSON.parse(message)).api_key
  } catch {
    throw noKey('The first message of this WebSocket has none.')
  }
}

const noKey = (problem: string): AuthenticationError =>
  new AuthenticationError(
    'authentication_required',
    `This server asks for an API key. ${problem} Send it as {"type": "open_inference_session", …, "api_key": "KEY"}, ` +
      'or in a header of the upgrade request: Authorization: Bearer KEY. The operator of this server makes keys with: ' +
      'petals-chat keys create',
  )

const noKeyInTime = (timeoutMs: number): AuthenticationError =>
  noKey(`None came within ${timeoutMs / 1000} s after this WebSocket was opened.`)

const tooLong = (max: number): GatewayError =>
  new GatewayError(
    'request_too_large',
    `The first message of a WebSocket that was opened without an API key has at most ${max} bytes.`,
  )

const tooManyWait = (): CapacityError =>
  new CapacityError(
    'Too many WebSockets wait for their API key. Open it again, and send the key at once or in a header.',
  )
