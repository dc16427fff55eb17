import { setMaxListeners } from 'node:events'
import type { Shutdown } from '../context.ts'
import { ShuttingDownError } from '../errors.ts'

/** The gateway's side of `Shutdown`: begins the drain, and ends it. */
export class ShutdownController implements Shutdown {
  readonly #drain = new AbortController()
  readonly #end = new AbortController()

  constructor() {
    // Every request and every WebSocket listens to these.
    setMaxListeners(0, this.#drain.signal, this.#end.signal)
  }

  get draining(): boolean {
    return this.#drain.signal.aborted
  }

  get drainSignal(): AbortSignal {
    return this.#drain.signal
  }

  get signal(): AbortSignal {
    return this.#end.signal
  }

  startDraining(): void {
    this.#drain.abort(new ShuttingDownError())
  }

  /** Ends what still runs. */
  finish(): void {
    this.startDraining()
    this.#end.abort(new ShuttingDownError())
  }
}
