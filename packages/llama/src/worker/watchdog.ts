import type { PongMessage, TokenChoice } from '../protocol.ts'

export interface WatchdogOptions {
  readonly unresponsiveTimeoutMs: number
  readonly stepTimeoutMs: number
  readonly choiceTimeoutMs: number
  readonly ping: () => void
  /** `how` continues "the process …"; `choice` is what hangs, if it is the choice of a token. */
  readonly onHung: (how: string, choice?: TokenChoice) => void
}

/** Looks at least so often within `unresponsiveTimeoutMs`. Counting looks instead of time, a machine that slept harms no answer. */
const MIN_LOOKS = 5
/** Looks so often within the shortest limit that a process which answers pings can pass. */
const LOOKS_IN_A_CHOICE = 4

/** Notices that a model's process hangs: it says nothing any more, or one step or choice never ends. */
export class Watchdog implements Disposable {
  readonly #options: WatchdogOptions
  readonly #timer: NodeJS.Timeout
  readonly #patience: number
  #silentLooks = 0
  #stepMs = 0

  constructor(options: WatchdogOptions) {
    this.#options = options
    const { unresponsiveTimeoutMs, choiceTimeoutMs } = options
    const intervalMs = Math.min(unresponsiveTimeoutMs / MIN_LOOKS, choiceTimeoutMs / LOOKS_IN_A_CHOICE)
    this.#patience = Math.round(unresponsiveTimeoutMs / intervalMs)
    this.#timer = setInterval(() => this.#look(), intervalMs)
    this.#timer.unref()
  }

  /** How long the current step or choice had taken when the process was last heard of, in milliseconds. */
  get stepMs(): number {
    return this.#stepMs
  }

  /** The process said something. */
  heard(): void {
    this.#silentLooks = 0
  }

  /** It answered a ping. */
  pong({ stepMs, choice }: PongMessage): void {
    const { stepTimeoutMs, choiceTimeoutMs, onHung } = this.#options
    this.#stepMs = Math.max(stepMs, choice?.ms ?? 0)
    if (stepMs > stepTimeoutMs)
      onHung(`was ended: a single step took over ${stepTimeoutMs} ms (llama.stepTimeoutMs)`)
    if (choice && choice.ms > choiceTimeoutMs)
      onHung(
        `was ended: the choice of a token took over ${choiceTimeoutMs} ms (llama.choiceTimeoutMs)`,
        choice,
      )
  }

  #look(): void {
    const { unresponsiveTimeoutMs, ping, onHung } = this.#options
    if (this.#silentLooks++ < this.#patience) return ping()
    onHung(`was ended: it had not answered for ${unresponsiveTimeoutMs} ms (llama.unresponsiveTimeoutMs)`)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}
