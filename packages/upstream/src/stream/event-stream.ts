import type { IncomingMessage } from 'node:http'
import { EventReader, StreamFault } from './event-reader.ts'

export interface EventStreamOptions {
  /** Silence that ends the stream. Read anew before each wait. */
  readonly idleTimeoutMs: number
}

const END_TIMEOUT_MS = 1_000

/**
 * Yields the JSON values of an event stream until `[DONE]` or its end. The time of the reader is not counted as silence.
 * Destroys the response when the caller stops.
 * @throws StreamFault
 */
export async function* eventStream(
  response: IncomingMessage,
  options: EventStreamOptions,
): AsyncGenerator<unknown, void, undefined> {
  const reader = new EventReader()
  try {
    for await (const chunk of chunksOf(response, options)) {
      yield* reader.push(chunk)
      if (reader.isComplete) return
    }
    yield* reader.finish()
  } finally {
    leave(response, reader.isComplete)
  }
}

async function* chunksOf(response: IncomingMessage, options: EventStreamOptions): AsyncGenerator<string> {
  response.setEncoding('utf8')
  const chunks = response[Symbol.asyncIterator]() as AsyncIterator<string>
  while (true) {
    const { done, value } = await nextChunk(response, chunks, options.idleTimeoutMs)
    if (done) return
    yield value
  }
}

async function nextChunk(
  response: IncomingMessage,
  chunks: AsyncIterator<string>,
  idleTimeoutMs: number,
): Promise<IteratorResult<string>> {
  const silent = new StreamFault(`sent nothing for ${idleTimeoutMs / 1000} s`)
  const timer = setTimeout(() => response.destroy(silent), idleTimeoutMs)
  try {
    return await chunks.next()
  } catch (cause) {
    if (cause instanceof StreamFault) throw cause
    throw new StreamFault('closed the connection in the middle of an answer', { cause })
  } finally {
    clearTimeout(timer)
  }
}

/** After the last event, the connection can serve the next request if its end comes at once. */
function leave(response: IncomingMessage, isComplete: boolean): void {
  if (!isComplete) return void response.destroy()
  const timer = setTimeout(() => response.destroy(), END_TIMEOUT_MS).unref()
  response.once('close', () => clearTimeout(timer)).on('error', () => {})
  response.resume()
}
