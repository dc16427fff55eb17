import type { RawData, WebSocket } from 'ws'
import { ClientGoneError, GatewayError } from '../errors.ts'
import { budgetError, type MemoryBudget, type Reservation } from '../memory-budget.ts'
import { linkedAbortController } from '../linked-abort-controller.ts'

/** How many messages a client may send while an answer is being written, and how many characters together. */
const MAX_WAITING_MESSAGES = 64
const MAX_WAITING_CHARACTERS = 4 * 1024 * 1024

/** Above this, the engine waits for a slow reader, so that the answer does not fill this process's memory. */
const MAX_BUFFERED_BYTES = 1024 * 1024

/**
 * RFC 6455, section 7.4.1: the client's program closed the socket, with the usual code or without one. A page that is left
 * or reloaded closes with 1001; a connection that breaks sends no close frame.
 */
const NORMAL_CLOSE_CODES: ReadonlySet<number> = new Set([1000, 1005])

export interface ReceiveOptions {
  /** The longest wait for a message, in milliseconds. */
  readonly timeoutMs: number
  /** Returns the error of a message that did not arrive in time. */
  readonly onTimeout: () => Error
  /** Ends the wait with its reason. */
  readonly signal: AbortSignal
}

/** One WebSocket whose messages are received one after another, when the server is ready for them. */
export class JsonSocket {
  /** Aborts when the client has gone, or with one of `outer`. Pass it to everything that takes long. */
  readonly signal: AbortSignal
  readonly #socket: WebSocket
  readonly #abort: AbortController
  readonly #inbox: string[] = []
  readonly #reservation: Reservation
  #onMessage: ((text: string) => void) | undefined

  /** @param budget what the inboxes of all sockets share. */
  constructor(socket: WebSocket, budget: MemoryBudget, ...outer: readonly AbortSignal[]) {
    const { controller, unlink } = linkedAbortController(...outer)
    this.#socket = socket
    this.#abort = controller
    this.#reservation = budget.open()
    this.signal = controller.signal
    socket.on('message', (data) => this.#receive(data))
    socket.on('close', (code) => {
      unlink()
      this.#reservation[Symbol.dispose]()
      controller.abort(new ClientGoneError({ isNormalClose: NORMAL_CLOSE_CODES.has(code) }))
    })
  }

  /** Resolves with the text of the next message. */
  async receive(options: ReceiveOptions): Promise<string> {
    this.signal.throwIfAborted()
    options.signal.throwIfAborted()
    const text = this.#inbox.shift()
    if (text === undefined) return this.#nextMessage(options)
    this.#reservation.shrink(sizeOf(text))
    return text
  }

  send(value: unknown): Promise<void> {
    return this.sendText(JSON.stringify(value))
  }

  /** Resolves when the client is ready for more. Does nothing once the socket is closing. */
  async sendText(text: string): Promise<void> {
    if (this.#socket.readyState !== this.#socket.OPEN) return
    if (this.#socket.bufferedAmount < MAX_BUFFERED_BYTES) this.#socket.send(text)
    else await new Promise<void>((resolve) => this.#socket.send(text, () => resolve()))
  }

  close(code: number): void {
    this.#socket.close(code)
  }

  /** Closes the socket and aborts `signal` at once, because a client that is gone does not answer the close frame. */
  abandon(code: number, reason: Error): void {
    this.#abort.abort(reason)
    this.#socket.close(code)
  }

  /** Keeps a message until it is received. */
  keep(text: string): void {
    if (this.#reservation.tryGrow(sizeOf(text))) this.#inbox.push(text)
    else this.#abort.abort(budgetError())
  }

  #receive(data: RawData): void {
    const text = data.toString()
    if (this.#onMessage !== undefined) return this.#onMessage(text)
    const characters = this.#inbox.reduce((sum, { length }) => sum + length, text.length)
    if (
      this.#inbox.length < MAX_WAITING_MESSAGES &&
      (characters <= MAX_WAITING_CHARACTERS || this.#inbox.length === 0)
    )
      return this.keep(text)
    const message = `More than ${MAX_WAITING_MESSAGES} messages, or ${MAX_WAITING_CHARACTERS} characters, are waiting. Wait for answers before sending more.`
    this.#abort.abort(new GatewayError('bad_request', message))
  }

  async #nextMessage({ timeoutMs, onTimeout, signal }: ReceiveOptions): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const abort = ({ target }: Event) => reject((target as AbortSignal).reason)
    const timer = setTimeout(() => reject(onTimeout()), timeoutMs)
    for (const source of [this.signal, signal]) source.addEventListener('abort', abort)
    this.#onMessage = (text) => {
      this.#onMessage = undefined
      resolve(text)
    }
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      for (const source of [this.signal, signal]) source.removeEventListener('abort', abort)
      this.#onMessage = undefined
    }
  }
}

/** Bytes of a text in memory, at most. */
const sizeOf = ({ length }: string): number => 2 * length
