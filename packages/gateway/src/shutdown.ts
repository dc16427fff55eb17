import { setMaxListeners } from 'node:events'
import { ShuttingDownError } from './errors.ts'

/** The state of the gateway's shutdown. */
export interface Shutdown {
  /** True from the moment when `/ready` responds with 503, perhaps a while before the server drains. */
  readonly announced: boolean
  /** True from the start of a shutdown: running answers may finish, and `/ready` responds with 503. */
  readonly draining: boolean
  /** Aborts at the start of a shutdown: code that only waits for more work stops waiting. */
  readonly drainSignal: AbortSignal
  /** Aborts with a ShuttingDownError when the time to finish is over. */
  readonly signal: AbortSignal
}

/** Controls the `Shutdown` of the gateway: starts and ends the drain. */
export class ShutdownController implements Shutdown {
  readonly #drain = new AbortController()
  readonly #end = new AbortController()
  #announced = false

  constructor() {
    // Every request and every WebSocket listens to these.
    setMaxListeners(0, this.#drain.signal, this.#end.signal)
  }

  get announced(): boolean {
    return this.#announced || this.draining
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

  /** Makes `/ready` respond with 503. Everything else goes on. */
  announce(): void {
    this.#announced = true
  }

  startDraining(): void {
    this.#drain.abort(new ShuttingDownError())
  }

  /** Ends the answers that still run. */
  finish(): void {
    this.startDraining()
    this.#end.abort(new ShuttingDownError())
  }
}
