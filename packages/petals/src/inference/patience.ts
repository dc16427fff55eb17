import type { WaitOptions } from '@petals-chat/engine'
import { setTimeout as delay } from 'node:timers/promises'
import { runsOf } from '../blocks/block-range.ts'

/** How long a step waits for servers, and where it reports that it waits. */
export interface PatienceOptions extends WaitOptions {
  readonly waitTimeoutMs: number
}

/** The waits within one step: pauses, and the reports of what the step waits for. */
export class Patience {
  readonly waitTimeoutMs: number
  readonly #onWait: WaitOptions['onWait']
  #reported = ''

  constructor({ waitTimeoutMs, onWait }: PatienceOptions) {
    this.waitTimeoutMs = waitTimeoutMs
    this.#onWait = onWait
  }

  /** Reports a wait for servers of these blocks, if it is new. Both times are `performance.now()` milliseconds. */
  report(blocks: readonly number[], sinceMs: number, untilMs: number): void {
    const ranges = runsOf(blocks.toSorted((a, b) => a - b))
    const key = JSON.stringify([ranges, Math.round(untilMs / 1000)])
    if (key === this.#reported) return
    this.#reported = key
    const clock = Date.now() - performance.now()
    this.#onWait?.({ blocks: ranges, since: clock + sinceMs, until: clock + untilMs })
  }

  /** Reports the end of the wait. */
  end(): void {
    if (this.#reported === '') return
    this.#reported = ''
    this.#onWait?.(undefined)
  }

  async pause(ms: number, signal: AbortSignal): Promise<void> {
    if (ms > 0) await delay(ms, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}
