import { randomBytes } from 'node:crypto'
import type { Shutdown } from '../shutdown.ts'
import { AnswerGoneError, ClientGoneError, ShuttingDownError } from '../errors.ts'
import { linkedAbortController } from '../linked-abort-controller.ts'
import { MessageLog } from './message-log.ts'

/** `stream`: frames of server-sent events; `session`: messages of an inference session on a WebSocket. */
export type AnswerKind = 'stream' | 'session'

/** How an answer ended. `expired`: nobody read it for too long. */
export type AnswerOutcome = 'complete' | 'failed' | 'cancelled' | 'expired' | 'shutdown'

export interface KeptAnswerOptions {
  readonly kind: AnswerKind
  readonly unreadTimeoutMs: number
  readonly shutdown: Shutdown
  readonly onWrite: () => void
  readonly onEnd: (outcome: AnswerOutcome) => void
}

/** Whoever has 128 random bits right was told them. */
const ID_BYTES = 16

/** What ids look like; to keep them out of logs. */
export const ANSWER_ID = /ans_[\w-]{22}/

/** An answer that goes on while its readers come and go, for as long as one of them comes back in time. */
export class KeptAnswer {
  readonly id = `ans_${randomBytes(ID_BYTES).toString('base64url')}`
  readonly kind: AnswerKind
  readonly log = new MessageLog()
  readonly #options: KeptAnswerOptions
  readonly #abort: AbortController
  readonly #unlink: () => void
  readonly #ended = Promise.withResolvers<void>()
  #outcome: AnswerOutcome | undefined
  #readers = 0
  #unread: NodeJS.Timeout | undefined

  constructor(options: KeptAnswerOptions) {
    const { controller, unlink } = linkedAbortController(options.shutdown.signal)
    this.kind = options.kind
    this.#options = options
    this.#abort = controller
    this.#unlink = unlink
    this.#expectReader()
  }

  /** Aborts when the answer is to stop. Hand it to everything that takes long. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  get isRunning(): boolean {
    return !this.log.ended
  }

  /** Undefined while it runs. */
  get outcome(): AnswerOutcome | undefined {
    return this.#outcome
  }

  get readers(): number {
    return this.#readers
  }

  /** For the producer: the next message. */
  write(text: string): void {
    this.log.append(text)
    this.#options.onWrite()
  }

  /** For the producer: that was the last message. `error`: what ended it, if it is not complete. */
  end(error?: unknown): void {
    if (this.log.ended) return
    clearTimeout(this.#unread)
    this.#unlink()
    this.#outcome = this.#outcomeOf(error)
    this.log.end()
    this.#options.onEnd(this.#outcome)
    this.#ended.resolve()
  }

  /** A reader is there, until it disposes what it gets. */
  attach(): Disposable {
    let attached = true
    this.#readers += 1
    clearTimeout(this.#unread)
    return {
      [Symbol.dispose]: () => {
        if (!attached) return
        attached = false
        this.#readers -= 1
        if (this.#readers === 0) this.#expectReader()
      },
    }
  }

  /** Makes its producer stop; resolves when it has ended. */
  async stop(reason: Error): Promise<void> {
    this.#abort.abort(reason)
    await this.#ended.promise
  }

  /** For a server that takes no more connections: nobody can come back. */
  stopIfUnread(): void {
    if (this.isRunning && this.#readers === 0) void this.stop(new ShuttingDownError())
  }

  #expectReader(): void {
    if (!this.isRunning) return
    if (this.#options.shutdown.draining) return this.stopIfUnread()
    const { unreadTimeoutMs } = this.#options
    this.#unread = setTimeout(() => void this.stop(unreadError(unreadTimeoutMs)), unreadTimeoutMs)
    this.#unread.unref()
  }

  #outcomeOf(error: unknown): AnswerOutcome {
    if (error === undefined) return 'complete'
    if (!this.signal.aborted) return error instanceof ClientGoneError ? 'cancelled' : 'failed'
    const reason: unknown = this.signal.reason
    if (reason instanceof AnswerGoneError) return 'expired'
    return reason instanceof ShuttingDownError ? 'shutdown' : 'cancelled'
  }
}

function unreadError(timeoutMs: number): AnswerGoneError {
  const seconds = Math.round(timeoutMs / 1000)
  return new AnswerGoneError(`The answer was stopped, because nobody read it for ${seconds} s.`)
}
