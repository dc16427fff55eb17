import { InvalidRequestError, ModelUnavailableError } from './errors.ts'

/**
 * Enforces a rule of `Session`: one call at a time, none after disposal. An engine's session has one guard and enters it
 * at the start of every call, also inside an async generator:
 *
 * ```ts
 * async *generate(tokens, options) {
 *   using _call = this.#guard.enter()
 *   …
 * }
 * ```
 */
export class SessionGuard {
  #busy = false
  #closed = false

  get busy(): boolean {
    return this.#busy
  }

  get closed(): boolean {
    return this.#closed
  }

  /** @throws InvalidRequestError while another call runs, ModelUnavailableError after `close`. */
  enter(): Disposable {
    if (this.#closed) throw new ModelUnavailableError('The session is closed. Open a new one.')
    if (this.#busy) {
      throw new InvalidRequestError(
        'The session is busy: it takes one call at a time. Wait for the call, or open another session.',
      )
    }
    this.#busy = true
    return { [Symbol.dispose]: () => void (this.#busy = false) }
  }

  /** Returns true the first time only: a session that is disposed twice closes once. */
  close(): boolean {
    const first = !this.#closed
    this.#closed = true
    return first
  }
}
