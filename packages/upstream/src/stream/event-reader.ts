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
  readonly #found: string[] = []
  readonly #parser = createParser({
    maxBufferSize: MAX_EVENT_CHARACTERS,
    onEvent: ({ data }) => this.#found.push(data),
    onError: ({ type }) => {
      if (type === 'max-buffer-size-exceeded')
        this.#fault = new StreamFault(`sent an event of more than ${MAX_EVENT_CHARACTERS} characters`)
    },
  })
  #fault: StreamFault | undefined
  #isComplete = false

  /** `[DONE]` has come: nothing that follows counts. */
  get isComplete(): boolean {
    return this.#isComplete
  }

  /** The values that a piece of the stream completes. @throws StreamFault */
  *push(text: string): Generator<unknown, void, undefined> {
    if (this.#isComplete) return
    this.#parser.feed(text)
    yield* this.#values()
    if (this.#fault !== undefined) throw this.#fault
  }

  /** The value of a last event without an end. @throws StreamFault */
  *finish(): Generator<unknown, void, undefined> {
    if (this.#isComplete) return
    this.#parser.reset({ consume: true })
    yield* this.#values()
  }

  *#values(): Generator<unknown, void, undefined> {
    for (const data of this.#found.splice(0)) {
      if (data === DONE) this.#isComplete = true
      if (this.#isComplete) return
      yield parseEvent(data)
    }
  }
}

function parseEvent(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    throw new StreamFault('sent an event that is not JSON')
  }
}
