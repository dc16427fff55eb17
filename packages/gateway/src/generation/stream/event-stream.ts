import type { UnderlyingSource } from 'node:stream/web'
import { GatewayError } from '../../errors.ts'

/** Follows the last event of a complete answer; a stream without it was cut, or ended with an error event. */
export const doneFrame = 'data: [DONE]\n\n'

/** A comment for people who read the stream; programs skip it. @param text without line breaks */
export const commentFrame = (text: string): string => `: ${text}\n\n`

/** Bytes that are buffered for a slow reader before the engine has to wait, too. */
const highWaterMark = 64 * 1024

export interface EventStreamOptions {
  /** Default: that of server-sent events. */
  readonly contentType?: string | undefined
  /** Headers beside those of an event stream. */
  readonly headers?: Readonly<Record<string, string>>
  /** How long the response waits for the first frame. Default: until a ping is due. */
  readonly firstFrameWaitMs?: number
  /** Silence after which a ping is sent, so that proxies don't close the connection as dead. */
  readonly pingIntervalMs: number
  readonly pingFrame: string | (() => string)
  /** How long a reader may read nothing before the stream is abandoned. */
  readonly stallTimeoutMs: number
  /** The frame that reports an error to the client. */
  readonly errorFrame: (error: unknown) => string
  /** Stops the producer of the frames. */
  readonly abort: (reason: unknown) => void
  /** Cuts the connection, since a reader that reads nothing can't receive an error either. False if there is no connection. */
  readonly disconnect: () => boolean
}

/**
 * Sends the frames as a response: server-sent events, or lines. A failure before the first frame is thrown, and so answered with
 * the right status, unless it took too long. A later failure ends the stream with an error event.
 */
export async function eventStream(
  frames: AsyncGenerator<string>,
  options: EventStreamOptions,
): Promise<Response> {
  const first = frames.next()
  await settledWithin(first, options.firstFrameWaitMs ?? options.pingIntervalMs)
  const body = new ReadableStream(new FrameSource(frames, first, options), {
    highWaterMark,
    size: (chunk) => chunk.byteLength,
  })
  return new Response(body, {
    headers: {
      'content-type': options.contentType ?? 'text/event-stream; charset=utf-8',
      // Answers must not be stored, and a compressing proxy would buffer the tokens of several seconds.
      'cache-control': 'no-store, no-transform',
      // nginx would buffer them, too.
      'x-accel-buffering': 'no',
      ...options.headers,
    },
  })
}

type Controller = ReadableStreamDefaultController<Uint8Array>

/** Pulls the next frame when the reader has space for it, and sends pings in between. */
class FrameSource implements UnderlyingSource<Uint8Array> {
  readonly #frames: AsyncGenerator<string>
  readonly #options: EventStreamOptions
  readonly #encoder = new TextEncoder()
  #next: Promise<IteratorResult<string>> | undefined
  #pings: NodeJS.Timeout | undefined
  #stall: NodeJS.Timeout | undefined
  #closed = false

  constructor(
    frames: AsyncGenerator<string>,
    first: Promise<IteratorResult<string>>,
    options: EventStreamOptions,
  ) {
    this.#frames = frames
    this.#next = first
    this.#options = options
  }

  start(controller: Controller): void {
    const { pingFrame, pingIntervalMs } = this.#options
    const ping = () => (typeof pingFrame === 'string' ? pingFrame : pingFrame())
    this.#pings = setInterval(() => this.#send(controller, ping()), pingIntervalMs)
  }

  async pull(controller: Controller): Promise<void> {
    clearTimeout(this.#stall)
    try {
      const { value, done } = await (this.#next ?? this.#frames.next())
      this.#next = undefined
      if (this.#closed) return
      if (done) return this.#close(controller)
      this.#send(controller, value)
      this.#pings?.refresh()
      if (controller.desiredSize! <= 0) this.#expectReader(controller)
    } catch (error) {
      this.#fail(controller, error)
    }
  }

  async cancel(reason: unknown): Promise<void> {
    this.#stopTimers()
    await this.#stopFrames(reason)
  }

  #send(controller: Controller, frame: string): void {
    controller.enqueue(this.#encoder.encode(escapeLineEnds(frame)))
  }

  #expectReader(controller: Controller): void {
    const { stallTimeoutMs } = this.#options
    this.#stall = setTimeout(() => {
      const error = new GatewayError('client_gone', `The client read nothing for ${stallTimeoutMs} ms.`)
      this.#stopTimers()
      void this.#stopFrames(error)
      if (!this.#options.disconnect()) controller.error(error)
    }, stallTimeoutMs)
  }

  #fail(controller: Controller, error: unknown): void {
    if (this.#closed) return
    this.#send(controller, this.#options.errorFrame(error))
    this.#close(controller)
  }

  #close(controller: Controller): void {
    this.#stopTimers()
    controller.close()
  }

  #stopTimers(): void {
    this.#closed = true
    clearInterval(this.#pings)
    clearTimeout(this.#stall)
  }

  async #stopFrames(reason: unknown): Promise<void> {
    this.#options.abort(reason)
    await this.#frames.return(undefined).catch(() => {})
  }
}

/**
 * Escapes the line ends that Unicode knows and event streams don't (only CR and LF end a line there), because readers that
 * split at them would find fields and events in the text of an answer. In JSON the escaped text is the same.
 */
const escapeLineEnds = (frame: string): string =>
  frame.replace(/[\u0085\u2028\u2029]/g, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** Resolves when the promise has settled or the time is over; rejects if the promise rejects in time. */
export async function settledWithin(promise: Promise<unknown>, ms: number): Promise<void> {
  const { promise: timeout, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  try {
    await Promise.race([promise, timeout])
  } finally {
    clearTimeout(timer)
  }
}
