import { randomBytes } from 'node:crypto'
import type { Caller } from '../access/caller.ts'
import { errorThatCounts } from '../error-response.ts'
import { AnswerGoneError, ClientGoneError, ShuttingDownError } from '../errors.ts'
import { linkedAbortController } from '../linked-abort-controller.ts'
import type { Shutdown } from '../shutdown.ts'
import type { AnswerReader } from '../answer-reader.ts'
import { MessageLog, type NumberedMessage } from './message-log.ts'

/** `stream`: frames of server-sent events; `session`: messages of an inference session on a WebSocket. */
export type AnswerKind = 'stream' | 'session'

/** Who made an answer, and alone may read and stop it. It stops when the owner's access ends. */
export type AnswerOwner = Pick<Caller, 'id' | 'signal'>

/** How an answer ended. `expired`: no client read it for too long. */
export type AnswerOutcome = 'complete' | 'failed' | 'cancelled' | 'expired' | 'shutdown'

export interface KeptAnswerOptions {
  readonly owner: AnswerOwner
  readonly kind: AnswerKind
  readonly unreadTimeoutMs: number
  readonly shutdown: Shutdown
  readonly onWrite: () => void
  readonly onEnd: (outcome: AnswerOutcome) => void
}

/** 128 random bits: where the server asks for no keys, the id is the capability to read and to stop the answer. */
const ID_BYTES = 16

/** The pattern of ids, which the log must not contain. */
export const ANSWER_ID = /ans_[\w-]{22}/

/** An answer that continues while its readers connect and disconnect, as long as one of them comes back in time. */
export class KeptAnswer implements AnswerReader {
  readonly id = `ans_${randomBytes(ID_BYTES).toString('base64url')}`
  readonly kind: AnswerKind
  readonly log = new MessageLog()
  readonly #options: KeptAnswerOptions
  readonly #abort: AbortController
  readonly #unlink: () => void
  readonly #ended = Promise.withResolvers<void>()
  #outcome: AnswerOutcome | undefined
  #readers = 0
  #unreadSince = performance.now()
  #unread: NodeJS.Timeout | undefined

  constructor(options: KeptAnswerOptions) {
    const { controller, unlink } = linkedAbortController(options.shutdown.signal, options.owner.signal)
    this.kind = options.kind
    this.#options = options
    this.#abort = controller
    this.#unlink = unlink
    this.#expectReader()
  }

  /** Aborts when the answer must stop. Pass it to everything that takes long. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  get owner(): AnswerOwner {
    return this.#options.owner
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

  get unreadMs(): number | undefined {
    return this.#readers === 0 ? performance.now() - this.#unreadSince : undefined
  }

  giveWay(): void {
    void this.stop(
      new AnswerGoneError(
        'The answer was stopped because no client read it while other requests waited for a session.',
      ),
    )
  }

  /**
   * Writes what a producer yields until it ends, whatever the readers do. Never rejects.
   * @param messages the producer, which has to stop when `signal` aborts.
   * @param errorMessage returns the last message of an answer that failed or was stopped.
   */
  async run(messages: AsyncIterable<string>, errorMessage: (error: unknown) => string): Promise<void> {
    try {
      for await (const text of messages) this.write(text)
      this.end()
    } catch (thrown) {
      const error = errorThatCounts(thrown, this.signal)
      this.write(errorMessage(error))
      this.end(error)
    }
  }

  /** Appends a message. */
  write(text: string): void {
    this.log.append(text)
    this.#options.onWrite()
  }

  /** Marks the last message as the end. `error`: the reason, if the answer is not complete. */
  end(error?: unknown): void {
    if (this.log.ended) return
    clearTimeout(this.#unread)
    this.#unlink()
    this.#outcome = this.#outcomeOf(error)
    this.log.end()
    this.#options.onEnd(this.#outcome)
    this.#ended.resolve()
  }

  /**
   * Yields the messages after number `after`, then new ones as they come, until the answer ends. The caller counts as a
   * reader meanwhile. @throws AnswerGoneError if one of the messages was dropped; the signal's reason.
   */
  async *read(after: number, signal: AbortSignal): AsyncGenerator<NumberedMessage, void, undefined> {
    using _reader = this.attach()
    yield* this.log.read(after, signal)
  }

  /** Counts a reader until the caller disposes of the result. */
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

  /** Makes the producer stop; resolves when the answer has ended. */
  async stop(reason: Error): Promise<void> {
    this.#abort.abort(reason)
    await this.#ended.promise
  }

  /** For a server that accepts no more connections: a disconnected reader can't come back. */
  stopIfUnread(): void {
    if (this.isRunning && this.#readers === 0) void this.stop(new ShuttingDownError())
  }

  #expectReader(): void {
    this.#unreadSince = performance.now()
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
  return new AnswerGoneError(`The answer was stopped because no client read it for ${seconds} s.`)
}
