import type { WaitOptions } from '@petals-chat/engine'
import { setTimeout as delay } from 'node:timers/promises'
import { runsOf } from '../blocks/block-range.ts'

/** How long a step waits for servers, and who hears of it. */
export interface PatienceOptions extends WaitOptions {
  readonly waitTimeoutMs: number
}

/** Pauses within one step, while what is waited for is told. */
export class Patience {
  readonly waitTimeoutMs: number
  readonly #onWait: WaitOptions['onWait']
  #told = ''

  constructor({ waitTimeoutMs, onWait }: PatienceOptions) {
    this.waitTimeoutMs = waitTimeoutMs
    this.#onWait = onWait
  }

  /** Servers of these blocks are waited for, from one `performance.now()` to the other. */
  tell(blocks: readonly number[], sinceMs: number, untilMs: number): void {
    const ranges = runsOf(blocks.toSorted((a, b) => a - b))
    const key = JSON.stringify([ranges, Math.round(untilMs / 1000)])
    if (key === this.#told) return
    this.#told = key
    const clock = Date.now() - performance.now()
    this.#onWait?.({ blocks: ranges, since: clock + sinceMs, until: clock + untilMs })
  }

  /** It goes on. */
  end(): void {
    if (this.#told === '') return
    this.#told = ''
    this.#onWait?.(undefined)
  }

  async pause(ms: number, signal: AbortSignal): Promise<void> {
    if (ms > 0) await delay(ms, undefined, { signal }).catch(() => signal.throwIfAborted())
  }
}
