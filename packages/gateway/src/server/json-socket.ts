import type { RawData, WebSocket } from 'ws'
import { ClientGoneError, GatewayError } from '../errors.ts'

/** Messages that a client may send ahead while an answer is being written. */
const MAX_WAITING_MESSAGES = 64

/** A slow reader's answer waits in its engine, not in this process's memory. */
const MAX_BUFFERED_BYTES = 1024 * 1024

export interface ReceiveOptions {
  /** Milliseconds to wait for a message. */
  readonly timeoutMs: number
  /** Thrown when they are over. */
  readonly onTimeout: () => Error
  /** Ends the wait, with its reason. */
  readonly signal: AbortSignal
}

/** One WebSocket whose messages are taken one after another, when its server is ready for them. */
export class JsonSocket {
  /** Aborts when the client has gone, or with `outer`. Hand it to everything that takes long. */
  readonly signal: AbortSignal
  readonly #socket: WebSocket
  readonly #closed = new AbortController()
  readonly #inbox: string[] = []
  #onMessage: (() => void) | undefined

  constructor(socket: WebSocket, outer: AbortSignal) {
    this.#socket = socket
    this.signal = AbortSignal.any([this.#closed.signal, outer])
    socket.on('message', (data) => this.#receive(data))
    socket.on('close', () => this.#closed.abort(new ClientGoneError()))
  }

  /** The text of the next message. */
  async receive(options: ReceiveOptions): Promise<string> {
    const signal = AbortSignal.any([this.signal, options.signal])
    signal.throwIfAborted()
    if (this.#inbox.length === 0) await this.#nextMessage(options, signal)
    return this.#inbox.shift() as string
  }

  /** Resolves when the client is ready for more. Does nothing once the socket is closing. */
  async send(value: unknown): Promise<void> {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    const text = JSON.stringify(value)
    if (this.#socket.bufferedAmount < MAX_BUFFERED_BYTES) this.#socket.send(text)
    else await new Promise<void>((resolve) => this.#socket.send(text, () => resolve()))
  }

  close(code: number): void {
    this.#socket.close(code)
  }

  #receive(data: RawData): void {
    if (this.#inbox.length >= MAX_WAITING_MESSAGES) {
      const message = `More than ${MAX_WAITING_MESSAGES} messages wait. Wait for answers before sending more.`
      return this.#closed.abort(new GatewayError('bad_request', message))
    }
    this.#inbox.push(data.toString())
    this.#onMessage?.()
  }

  #nextMessage({ timeoutMs, onTimeout }: ReceiveOptions, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const abort = () => reject(signal.reason)
    const timer = setTimeout(() => reject(onTimeout()), timeoutMs)
    signal.addEventListener('abort', abort, { once: true })
    this.#onMessage = resolve
    return promise.finally(() => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      this.#onMessage = undefined
    })
  }
}
