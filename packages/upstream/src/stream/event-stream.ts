import type { IncomingMessage } from 'node:http'
import { createParser } from 'eventsource-parser'

export interface EventStreamOptions {
  /** Silence that ends the stream. */
  readonly idleTimeoutMs: number
}

/** What a stream did that no stream of the API does. The message ends the sentence "The server …". */
export class StreamFault extends Error {
  override readonly name = 'StreamFault'
}

/** More than any event has: a whole call with its arguments comes in one. */
const MAX_EVENT_CHARACTERS = 8 * 1024 * 1024

const DONE = '[DONE]'
const END_TIMEOUT_MS = 1_000

/**
 * Yields the JSON values of an event stream until `[DONE]` or its end. The time of the reader is not counted as silence.
 * Destroys the response when the caller stops.
 * @throws StreamFault
 */
export async function* eventStream(
  response: IncomingMessage,
  { idleTimeoutMs }: EventStreamOptions,
): AsyncGenerator<unknown, void, undefined> {
  const found: string[] = []
  let fault: StreamFault | undefined
  let isComplete = false
  const parser = createParser({
    maxBufferSize: MAX_EVENT_CHARACTERS,
    onEvent: ({ data }) => found.push(data),
    onError: ({ type }) => {
      if (type === 'max-buffer-size-exceeded')
        fault = new StreamFault(`sent an event of more than ${MAX_EVENT_CHARACTERS} characters`)
    },
  })
  try {
    for await (const chunk of chunksOf(response, idleTimeoutMs)) {
      parser.feed(chunk)
      for (const data of found.splice(0)) {
        isComplete = data === DONE
        if (isComplete) return
        yield parseEvent(data)
      }
      if (fault !== undefined) throw fault
    }
    parser.reset({ consume: true })
    for (const data of found.splice(0)) if (data !== DONE) yield parseEvent(data)
  } finally {
    leave(response, isComplete)
  }
}

async function* chunksOf(response: IncomingMessage, idleTimeoutMs: number): AsyncGenerator<string> {
  response.setEncoding('utf8')
  const chunks = response[Symbol.asyncIterator]() as AsyncIterator<string>
  while (true) {
    const { done, value } = await nextChunk(response, chunks, idleTimeoutMs)
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

function parseEvent(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    throw new StreamFault('sent an event that is not JSON')
  }
}
