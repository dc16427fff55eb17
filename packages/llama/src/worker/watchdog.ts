import type { PongMessage, TokenChoice } from '../protocol.ts'

export interface WatchdogOptions {
  readonly unresponsiveTimeoutMs: number
  readonly stepTimeoutMs: number
  readonly choiceTimeoutMs: number
  readonly ping: () => void
  /** `how` continues "the process …"; `choice` is the token choice that hangs, if one does. */
  readonly onHung: (how: string, choice?: TokenChoice) => void
}

/** The fewest checks within `unresponsiveTimeoutMs`. Checks are counted instead of time, so that a suspended machine loses no answer. */
const MIN_CHECKS = 5
/** The number of checks within `choiceTimeoutMs`, the shortest limit for a process that answers pings. */
const CHECKS_PER_CHOICE = 4

/** Detects that a model's process hangs: it is silent, or one step or choice never ends. */
export class Watchdog implements Disposable {
  readonly #options: WatchdogOptions
  readonly #timer: NodeJS.Timeout
  readonly #patience: number
  readonly #intervalMs: number
  #silentChecks = 0
  #stepMs = 0

  constructor(options: WatchdogOptions) {
    this.#options = options
    const { unresponsiveTimeoutMs, choiceTimeoutMs } = options
    const intervalMs = Math.min(unresponsiveTimeoutMs / MIN_CHECKS, choiceTimeoutMs / CHECKS_PER_CHOICE)
    this.#intervalMs = intervalMs
    this.#patience = Math.round(unresponsiveTimeoutMs / intervalMs)
    this.#timer = setInterval(() => this.#check(), intervalMs)
    this.#timer.unref()
  }

  /** How long the current step or choice had taken at the last message of the process, in milliseconds. */
  get stepMs(): number {
    return this.#stepMs
  }

  /** How long the process has not answered pings, in milliseconds, to the length of an interval between two. */
  get silentMs(): number {
    return Math.max(0, this.#silentChecks - 1) * this.#intervalMs
  }

  /** The process sent a message. */
  heard(): void {
    this.#silentChecks = 0
  }

  /** The process answered a ping. */
  pong({ stepMs, overdue, choice }: PongMessage): void {
    const { stepTimeoutMs, choiceTimeoutMs, onHung } = this.#options
    this.#stepMs = Math.max(stepMs, choice?.ms ?? 0)
    if (stepMs > stepTimeoutMs)
      onHung(`was ended: a single step took over ${stepTimeoutMs} ms (llama.stepTimeoutMs)`)
    if (overdue)
      onHung(
        `was ended: a step hung (it had computed for ${overdue.limitMs} ms, many times as long as the steps before it)`,
      )
    if (choice && choice.ms > choiceTimeoutMs)
      onHung(
        `was ended: the choice of a token took over ${choiceTimeoutMs} ms (llama.choiceTimeoutMs)`,
        choice,
      )
  }

  #check(): void {
    const { unresponsiveTimeoutMs, ping, onHung } = this.#options
    if (this.#silentChecks++ < this.#patience) return ping()
    onHung(`was ended: it had not answered for ${unresponsiveTimeoutMs} ms (llama.unresponsiveTimeoutMs)`)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}
