import { setMaxListeners } from 'node:events'
import { ShuttingDownError } from './errors.ts'

/** How far the gateway is with stopping. */
export interface Shutdown {
  /** True from the first moment of a shutdown: what runs may finish, `/ready` says no. */
  readonly draining: boolean
  /** Aborts at that moment: code that only waits for more work stops waiting. */
  readonly drainSignal: AbortSignal
  /** Aborts with a ShuttingDownError when the time to finish is over. */
  readonly signal: AbortSignal
}

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
