import type { PongMessage } from '../protocol.ts'

export interface WatchdogOptions {
  readonly unresponsiveTimeoutMs: number
  readonly stepTimeoutMs: number
  readonly ping: () => void
  /** `how` continues "the process …". */
  readonly onHung: (how: string) => void
}

/** Looks so often within `unresponsiveTimeoutMs`. Counting looks instead of time, a machine that slept harms nobody. */
const LOOKS = 5

/** Notices that a model's process hangs: it says nothing any more, or one step never ends. */
export class Watchdog implements Disposable {
  readonly #options: WatchdogOptions
  readonly #timer: NodeJS.Timeout
  #silentLooks = 0

  constructor(options: WatchdogOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#look(), options.unresponsiveTimeoutMs / LOOKS)
    this.#timer.unref()
  }

  /** The process said something. */
  heard(): void {
    this.#silentLooks = 0
  }

  /** It answered a ping. */
  pong({ stepMs }: PongMessage): void {
    const { stepTimeoutMs, onHung } = this.#options
    if (stepMs > stepTimeoutMs)
      onHung(`was ended: a single step took over ${stepTimeoutMs} ms (llama.stepTimeoutMs)`)
  }

  #look(): void {
    const { unresponsiveTimeoutMs, ping, onHung } = this.#options
    if (this.#silentLooks++ < LOOKS) return ping()
    onHung(`was ended: it had not answered for ${unresponsiveTimeoutMs} ms (llama.unresponsiveTimeoutMs)`)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}
