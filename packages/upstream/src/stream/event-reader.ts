import { createParser } from 'eventsource-parser'

/** What a stream did that no stream of the API does. The message ends the sentence "The server …". */
export class StreamFault extends Error {
  override readonly name = 'StreamFault'
}

/** More than any event has: a whole call with its arguments comes in one. */
const MAX_EVENT_CHARACTERS = 8 * 1024 * 1024

const DONE = '[DONE]'

/** Reads the JSON values of an event stream, until `[DONE]`. */
export class EventReader {
  readonly #onValue: (value: unknown) => void
  readonly #parser = createParser({
    maxBufferSize: MAX_EVENT_CHARACTERS,
    onEvent: ({ data }) => this.#read(data),
    onError: ({ type }) => {
      if (type === 'max-buffer-size-exceeded')
        throw new StreamFault(`sent an event of more than ${MAX_EVENT_CHARACTERS} characters`)
    },
  })
  #isComplete = false

  /** @param onValue called with each value as soon as its event is complete */
  constructor(onValue: (value: unknown) => void) {
    this.#onValue = onValue
  }

  /** `[DONE]` has come: nothing that follows counts. */
  get isComplete(): boolean {
    return this.#isComplete
  }

  /** Reads a piece of the stream. @throws StreamFault */
  push(text: string): void {
    if (!this.#isComplete) this.#parser.feed(text)
  }

  /** Reads a last event without an end. @throws StreamFault */
  finish(): void {
    if (!this.#isComplete) this.#parser.reset({ consume: true })
  }

  #read(data: string): void {
    if (data === DONE) this.#isComplete = true
    if (!this.#isComplete) this.#onValue(parseEvent(data))
  }
}

function parseEvent(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    throw new StreamFault('sent an event that is not JSON')
  }
}
