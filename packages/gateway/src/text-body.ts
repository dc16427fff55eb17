/** Where a source sends the text of a body. */
export interface TextSink {
  /** Sends a text at once. Returns false if no more should be sent before `drained`, because the reader is slow. */
  send(text: string): boolean
  /** Resolves when the reader has read most of what was sent, or has gone. */
  drained(): Promise<void>
  /** Ends a body that is whole. */
  end(): void
  /** Breaks off a body that no reader can finish. */
  fail(error: unknown): void
}

/** The text of a body, as it is made. */
export interface TextSource {
  /** Sends all of the text to the one sink. Never rejects. */
  sendTo(sink: TextSink): Promise<void>
  /** Call this when the reader has gone. */
  cancel(reason: unknown): Promise<void>
}

/** Bytes that are buffered for a slow reader before its source has to wait, too. */
const MAX_BUFFERED_BYTES = 64 * 1024

const sources = new WeakMap<ReadableStream, TextSource>()

/**
 * Returns the body of a response. It is a stream for whatever reads streams, and the source begins with the first read; the
 * HTTP server takes the source itself (`textSourceOf`), because each chunk of a stream costs turns of the event loop.
 */
export function textBody(source: TextSource): ReadableStream<Uint8Array> {
  let sink: StreamSink | undefined
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (sink !== undefined) return sink.wasRead()
        sink = new StreamSink(controller)
        void source.sendTo(sink)
      },
      cancel(reason) {
        sink?.wasRead()
        return source.cancel(reason)
      },
    },
    { highWaterMark: 0, size: (chunk) => chunk.byteLength },
  )
  sources.set(body, source)
  return body
}

/** The source behind the body of a response, for a server that sends it itself. */
export const textSourceOf = ({ body }: Response): TextSource | undefined =>
  body === null ? undefined : sources.get(body)

class StreamSink implements TextSink {
  readonly #controller: ReadableStreamDefaultController<Uint8Array>
  readonly #encoder = new TextEncoder()
  #reading = Promise.withResolvers<void>()

  constructor(controller: ReadableStreamDefaultController<Uint8Array>) {
    this.#controller = controller
  }

  send(text: string): boolean {
    this.#controller.enqueue(this.#encoder.encode(text))
    return this.#controller.desiredSize! > -MAX_BUFFERED_BYTES
  }

  async drained(): Promise<void> {
    this.#reading = Promise.withResolvers()
    await this.#reading.promise
  }

  /** All that was sent has been read, or will never be. */
  wasRead(): void {
    this.#reading.resolve()
  }

  end(): void {
    this.#controller.close()
  }

  fail(error: unknown): void {
    this.#controller.error(error)
    this.wasRead()
  }
}
