import { GatewayError } from '../../errors.ts'
import { textBody, type TextSink, type TextSource } from '../../text-body.ts'

/** Follows the last event of a complete answer; a stream without it was cut, or ended with an error event. */
export const doneFrame = 'data: [DONE]\n\n'

/** A comment for people who read the stream; programs skip it. @param text without line breaks */
export const commentFrame = (text: string): string => `: ${text}\n\n`

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
  return new Response(textBody(new FrameSource(frames, first, options)), {
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

/** Sends one frame after another when the reader has space for it, and pings in between. */
class FrameSource implements TextSource {
  readonly #frames: AsyncGenerator<string>
  readonly #first: Promise<IteratorResult<string>>
  readonly #options: EventStreamOptions
  #pings: NodeJS.Timeout | undefined
  #isLeft = false

  constructor(
    frames: AsyncGenerator<string>,
    first: Promise<IteratorResult<string>>,
    options: EventStreamOptions,
  ) {
    this.#frames = frames
    this.#first = first
    this.#options = options
  }

  async sendTo(sink: TextSink): Promise<void> {
    const { errorFrame, pingFrame, pingIntervalMs } = this.#options
    const ping = () => (typeof pingFrame === 'string' ? pingFrame : pingFrame())
    this.#pings = setInterval(() => sendFrame(sink, ping()), pingIntervalMs)
    try {
      await this.#sendFrames(sink)
    } catch (error) {
      if (!this.#isLeft) sendFrame(sink, errorFrame(error))
    } finally {
      clearInterval(this.#pings)
    }
    if (!this.#isLeft) sink.end()
  }

  async cancel(reason: unknown): Promise<void> {
    this.#isLeft = true
    clearInterval(this.#pings)
    this.#options.abort(reason)
    await this.#frames.return(undefined).catch(() => {})
  }

  async #sendFrames(sink: TextSink): Promise<void> {
    for (let next = await this.#first; !next.done; next = await this.#frames.next()) {
      if (this.#isLeft) return
      const hasSpace = sendFrame(sink, next.value)
      this.#pings!.refresh()
      if (!hasSpace) await this.#readOf(sink)
    }
  }

  /** Waits for a slow reader, and leaves one that reads nothing. */
  async #readOf(sink: TextSink): Promise<void> {
    const { stallTimeoutMs, disconnect } = this.#options
    const stall = setTimeout(() => {
      const error = new GatewayError('client_gone', `The client read nothing for ${stallTimeoutMs} ms.`)
      void this.cancel(error)
      if (!disconnect()) sink.fail(error)
    }, stallTimeoutMs)
    await sink.drained()
    clearTimeout(stall)
  }
}

/**
 * Sends a frame. Line ends that Unicode knows and event streams don't (only CR and LF end a line there) are escaped, because
 * readers that split at them would find fields and events in the text of an answer. In JSON the escaped text is the same.
 */
const sendFrame = (sink: TextSink, frame: string): boolean =>
  sink.send(/[\u0085\u2028\u2029]/.test(frame) ? withoutForeignLineEnds(frame) : frame)

const withoutForeignLineEnds = (frame: string): string =>
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
