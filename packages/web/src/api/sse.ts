/** One event of a `text/event-stream`, as the HTML standard defines it. */
export interface ServerSentEvent {
  /** The `event:` field; `message` if there is none. */
  readonly event: string
  readonly data: string
  /** The last `id:` seen on the stream, to resume after it. */
  readonly id: string | undefined
}

/** Longest line and longest event that a server may send, in characters. A longer one is a fault, not an answer. */
const MAX_EVENT_LENGTH = 8 * 1024 * 1024

/** Takes text split anywhere and returns the complete events. Pure: no I/O. */
export class SseParser {
  #rest = ''
  #data: string[] = []
  #dataLength = 0
  #event = ''
  #id: string | undefined

  /** @throws RangeError if a line or an event is longer than 8 Mi characters. */
  push(text: string): ServerSentEvent[] {
    let buffer = this.#rest + text
    // A CR at the very end may be half of a CRLF: wait for what follows.
    const heldBack = buffer.endsWith('\r') ? '\r' : ''
    if (heldBack) buffer = buffer.slice(0, -1)
    const lines = buffer.split(/\r\n|\n|\r/)
    this.#rest = (lines.pop() ?? '') + heldBack
    this.#check(this.#rest.length)
    const events: ServerSentEvent[] = []
    for (const line of lines) {
      const event = this.#line(line)
      if (event) events.push(event)
    }
    return events
  }

  #line(line: string): ServerSentEvent | undefined {
    if (line === '') return this.#dispatch()
    if (line.startsWith(':')) return undefined
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'event') this.#event = value
    else if (field === 'id' && !value.includes('\0')) this.#id = value
    else if (field === 'data') {
      this.#data.push(value)
      this.#dataLength += value.length + 1
      this.#check(this.#dataLength)
    }
    return undefined
  }

  #dispatch(): ServerSentEvent | undefined {
    const event = this.#event || 'message'
    const data = this.#data
    this.#event = ''
    this.#data = []
    this.#dataLength = 0
    return data.length > 0 ? { event, data: data.join('\n'), id: this.#id } : undefined
  }

  #check(length: number): void {
    if (length > MAX_EVENT_LENGTH)
      throw new RangeError(`The server sent an event longer than ${MAX_EVENT_LENGTH} characters.`)
  }
}

export interface ReadEventsOptions {
  /** Longest silence of the server, in milliseconds; comments count as signs of life. Default: no limit. */
  readonly stallTimeoutMs?: number
}

/** Yields the events of a response body. Stops when the body ends or the caller breaks; an unfinished event is dropped. */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  { stallTimeoutMs }: ReadEventsOptions = {},
): AsyncGenerator<ServerSentEvent> {
  const parser = new SseParser()
  const decoder = new TextDecoder()
  const reader = body.getReader()
  try {
    for (;;) {
      const { done, value } = await withTimeout(reader.read(), stallTimeoutMs)
      if (done) return
      yield* parser.push(decoder.decode(value, { stream: true }))
    }
  } finally {
    // Cancelling closes the connection: the server notices that the client has left.
    await reader.cancel().catch(() => {})
  }
}

async function withTimeout<T>(promise: Promise<T>, timeoutMs: number | undefined): Promise<T> {
  if (timeoutMs === undefined) return promise
  let timer: ReturnType<typeof setTimeout> | undefined
  const stalled = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`The server sent nothing for ${timeoutMs} ms.`)), timeoutMs)
  })
  try {
    return await Promise.race([promise, stalled])
  } finally {
    clearTimeout(timer)
  }
}
