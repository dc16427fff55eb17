import { abortable, type AbortOptions, type OpenAheadOptions } from '@petals-chat/engine'
import type { InferenceSession } from '../inference/inference-session.ts'

/** Tokens that a first message and what stands before it are likely to have; short enough for pushed chains. */
const likelyPromptLength = 512

interface Opening {
  readonly length: number
  readonly abort: AbortController
  readonly done: Promise<void>
}

/** Opens an inference session before there is anything to run on it. One at a time. */
export class OpeningAhead {
  readonly #inference: InferenceSession
  readonly #maxLength: number
  #current: Opening | undefined

  constructor(inference: InferenceSession, maxLength: number) {
    this.#inference = inference
    this.#maxLength = maxLength
  }

  async open({ promptLength = likelyPromptLength, signal }: OpenAheadOptions): Promise<void> {
    if (this.#current) await this.settle(0, { signal }) // no pause otherwise: calls that follow must find this one
    const abort = new AbortController()
    const length = Math.min(this.#inference.position + promptLength, this.#maxLength)
    const stop = signal ? AbortSignal.any([signal, abort.signal]) : abort.signal
    const done = this.#inference.open({ length, signal: stop })
    const opening = { length, abort, done }
    this.#current = opening
    try {
      await done
    } catch (error) {
      if (!abort.signal.aborted) throw error // ended by other work, which opens for itself
    } finally {
      if (this.#current === opening) this.#current = undefined
    }
  }

  /**
   * Before other work, which needs room for `length` tokens: waits for an opening under way, or ends it if it is for fewer.
   * Whether it succeeds doesn't matter: what failed is tried again.
   */
  async settle(length: number, { signal }: AbortOptions): Promise<void> {
    const opening = this.#current
    if (!opening) return
    if (opening.length < length) opening.abort.abort(new Error('More tokens came than were expected.'))
    const settled = opening.done.catch(() => {})
    await abortable(settled, signal)
  }

  close(): void {
    this.#current?.abort.abort(new Error('The session was closed.'))
  }
}
