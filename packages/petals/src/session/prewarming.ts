import { abortable, type AbortOptions, type PrewarmOptions } from '@petals-chat/engine'
import type { InferenceSession } from '../inference/inference-session.ts'

/** Tokens of a typical first message with its system prompt; few enough for a pushed route. */
const likelyPromptLength = 512

interface Opening {
  readonly length: number
  readonly abort: AbortController
  readonly done: Promise<void>
}

/** Opens an inference session before its first tokens are there. One opening at a time. */
export class Prewarming {
  readonly #inference: InferenceSession
  readonly #maxLength: number
  #current: Opening | undefined

  constructor(inference: InferenceSession, maxLength: number) {
    this.#inference = inference
    this.#maxLength = maxLength
  }

  async open({ promptLength = likelyPromptLength, signal }: PrewarmOptions): Promise<void> {
    if (this.#current) await this.settle(0, { signal }) // no await otherwise: the calls that follow must find this opening
    const abort = new AbortController()
    const length = Math.min(this.#inference.position + promptLength, this.#maxLength)
    const stop = signal ? AbortSignal.any([signal, abort.signal]) : abort.signal
    const done = this.#inference.open({ length, signal: stop })
    const opening = { length, abort, done }
    this.#current = opening
    try {
      await done
    } catch (error) {
      if (!abort.signal.aborted) throw error // aborted: a call with more tokens opens for itself
    } finally {
      if (this.#current === opening) this.#current = undefined
    }
  }

  /**
   * Called before other work that needs room for `length` tokens. Waits for a running opening, or aborts it if it reserves
   * less. A failed opening is no error here: the work that follows opens again.
   */
  async settle(length: number, { signal }: AbortOptions): Promise<void> {
    const opening = this.#current
    if (!opening) return
    if (opening.length < length)
      opening.abort.abort(new Error('More tokens arrived than the sessions were opened for.'))
    const settled = opening.done.catch(() => {})
    await abortable(settled, signal)
  }

  close(): void {
    this.#current?.abort.abort(new Error('The session was closed.'))
  }
}
