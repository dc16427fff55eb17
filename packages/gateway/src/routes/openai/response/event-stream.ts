import type { UnderlyingSource } from 'node:stream/web'
import { GatewayError } from '../../../errors.ts'

/** What follows the last event of a complete answer; a stream without it was cut, or ended by an error event. */
export const doneFrame = 'data: [DONE]\n\n'

const pingFrame = ': ping\n\n'

/** Bytes that wait for a slow reader before the engine is made to wait too. */
const highWaterMark = 64 * 1024

export interface EventStreamOptions {
  /** Besides those of an event stream. */
  readonly headers?: Readonly<Record<string, string>>
  /** How long the response waits for the first frame. Default: until a ping is due. */
  readonly firstFrameWaitMs?: number
  /** Silence after which a comment is sent, so that proxies don't take the connection for dead. */
  readonly pingIntervalMs: number
  /** How long a reader may take nothing before the stream is given up. */
  readonly stallTimeoutMs: number
  /** The frame that tells the client of an error. */
  readonly errorFrame: (error: unknown) => string
  /** Stops what produces the frames. */
  readonly abort: (reason: unknown) => void
  /** Cuts the connection: a reader that takes nothing can't be told anything either. False if there is none to cut. */
  readonly disconnect: () => boolean
}

/**
 * The frames as a response of server-sent events. What fails before the first frame is thrown, and so answered with the
 * right status, unless that took too long. What fails later ends the stream with an error event.
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
      'content-type': 'text/event-stream; charset=utf-8',
      // Answers have no place on disks, and compressing proxies would gather the tokens of several seconds.
      'cache-control': 'no-store, no-transform',
      // So would nginx.
      'x-accel-buffering': 'no',
      ...options.headers,
    },
  })
}

type Controller = ReadableStreamDefaultController<Uint8Array>

/** Pulls the next frame when the reader has room for it, and sends pings in between. */
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
    this.#pings = setInterval(() => this.#send(controller, pingFrame), this.#options.pingIntervalMs)
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
    controller.enqueue(this.#encoder.encode(frame))
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

/** Resolves when the promise has settled or the time is over; rejects if the promise does so in time. */
export async function settledWithin(promise: Promise<unknown>, ms: number): Promise<void> {
  const { promise: timeout, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  try {
    await Promise.race([promise, timeout])
  } finally {
    clearTimeout(timer)
  }
}
