import { InvalidRequestError } from './errors.ts'
import { TimeLimit, TimeLimitExceeded } from './time-limit.ts'

/** Time to encode a text of any length, in milliseconds. */
const ENCODE_MS = 2000
/** More time for each character: about twice what the slowest texts take. */
const ENCODE_MS_PER_CHARACTER = 1 / 20

/** Bounds the time that a model's tokenizer takes for a text: its vocabulary and regular expressions come with the model. */
export class EncodeLimit {
  readonly #limit = new TimeLimit(ENCODE_MS)

  /** @throws InvalidRequestError if encoding `text` takes too long, or what `encode` throws */
  run<T>(text: string, encode: () => T): T {
    try {
      return this.#limit.run(encode, text.length * ENCODE_MS_PER_CHARACTER)
    } catch (cause) {
      if (!(cause instanceof TimeLimitExceeded)) throw cause
      throw new InvalidRequestError(
        `The model's tokenizer can't encode this text of ${text.length} characters: ${cause.message}. Send a shorter text.`,
        { cause },
      )
    }
  }
}
