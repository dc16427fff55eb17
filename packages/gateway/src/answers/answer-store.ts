import type { Logger, Metrics } from '@petals-chat/engine'
import type { GatewayConfig } from '../config.ts'
import type { Shutdown } from '../shutdown.ts'
import { AnswerGoneError, ShuttingDownError } from '../errors.ts'
import { belongsTo, type Owner } from './owner.ts'
import { type AnswerMetrics, createAnswerMetrics } from './answer-metrics.ts'
import { type AnswerKind, type AnswerOutcome, type AnswerOwner, KeptAnswer } from './kept-answer.ts'

export interface AnswerStoreOptions {
  readonly config: GatewayConfig['answers']
  readonly metrics: Metrics
  readonly shutdown: Shutdown
}

/** Removed answers whose end is remembered for error messages. */
const MAX_REMEMBERED = 1_000

/** The share of the limit that is freed at a time, so that not every token of a long answer has to free space. */
const FREED_SHARE = 1 / 16

interface Entry {
  readonly answer: KeptAnswer
  /** The bytes of its log that the total includes. */
  bytes: number
  expiry?: NodeJS.Timeout
}

/** The resumable answers of this server, by their ids: bounded in number, bytes and time. */
export class AnswerStore implements AsyncDisposable {
  readonly #options: AnswerStoreOptions
  readonly #metrics: AnswerMetrics
  /** Running ones in the order of their start, finished ones in the order of their end. */
  readonly #entries = new Map<string, Entry>()
  /** For each removed answer, a sentence that says why it is no longer kept. */
  readonly #removals = new Map<string, string>()
  #bytes = 0

  constructor(options: AnswerStoreOptions) {
    this.#options = options
    this.#metrics = createAnswerMetrics(options.metrics)
    options.shutdown.drainSignal.addEventListener('abort', () => {
      for (const { answer } of this.#entries.values()) answer.stopIfUnread()
    })
    this.#reportCounts()
    this.#metrics.bytes(0)
  }

  /** Keeps a new answer; undefined if the store is full or the server is shutting down. */
  open(kind: AnswerKind, owner: AnswerOwner, logger: Logger): KeptAnswer | undefined {
    const { config, shutdown } = this.#options
    if (shutdown.draining || !this.#makeRoom()) return undefined
    const answer = new KeptAnswer({
      kind,
      owner,
      unreadTimeoutMs: config.unreadTimeoutMs,
      shutdown,
      onWrite: () => this.#limitBytes(entry),
      onEnd: (outcome) => this.#keepFinished(entry, outcome, logger),
    })
    const entry: Entry = { answer, bytes: 0 }
    this.#entries.set(answer.id, entry)
    this.#reportCounts()
    return answer
  }

  /**
   * Returns the answer with that id, if it is of `kind` and belongs to `owner`.
   * @throws AnswerGoneError that says why there is none. An answer of another owner is as unknown as none.
   */
  find(id: string, owner: Owner, kind?: AnswerKind): KeptAnswer {
    const answer = this.#entries.get(id)?.answer
    if (answer && belongsTo(answer, owner) && (kind ?? answer.kind) === answer.kind) return answer
    const unknown = 'This server keeps no answer with that id; answers do not outlive a restart.'
    throw new AnswerGoneError(this.#removals.get(id) ?? unknown)
  }

  /** Counts a resumed answer in the metrics. */
  countResumption({ kind }: KeptAnswer): void {
    this.#metrics.resumed(kind)
  }

  /** Makes the answer unreachable by its id. Readers that are connected continue. */
  forget(answer: KeptAnswer): void {
    const entry = this.#entries.get(answer.id)
    if (entry !== undefined) this.#remove(entry, 'This answer was deleted on request.')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const entries = [...this.#entries.values()]
    const error = new ShuttingDownError()
    await Promise.all(entries.map(({ answer }) => answer.stop(error)))
    for (const entry of entries) this.#remove(entry, error.message)
  }

  #keepFinished(entry: Entry, outcome: AnswerOutcome, logger: Logger): void {
    const { answer } = entry
    const { keepMs } = this.#options.config
    logger.info({ kind: answer.kind, outcome, messages: answer.log.last }, 'resumable answer ended')
    this.#metrics.ended(answer.kind, outcome)
    if (answer.owner.signal.aborted)
      return this.#remove(entry, 'This answer ended with the access of its caller.')
    if (!this.#entries.delete(answer.id)) return
    this.#entries.set(answer.id, entry)
    const removal = `This answer ended, and was kept for ${Math.round(keepMs / 1000)} s after that.`
    entry.expiry = setTimeout(() => this.#remove(entry, removal), keepMs)
    entry.expiry.unref()
    this.#reportCounts()
  }

  #limitBytes(entry: Entry): void {
    this.#count(entry)
    const { maxKeptBytes } = this.#options.config
    while (this.#bytes > maxKeptBytes && (this.#dropFinished() || this.#dropBeginning(maxKeptBytes)));
    this.#metrics.bytes(this.#bytes)
  }

  /** Drops the beginning of the largest answer. Returns false if none can be shortened. */
  #dropBeginning(maxKeptBytes: number): boolean {
    const before = this.#bytes
    const largestFirst = [...this.#entries.values()].sort((left, right) => right.bytes - left.bytes)
    return largestFirst.some((entry) => {
      entry.answer.log.dropOldest(before - maxKeptBytes * (1 - FREED_SHARE))
      this.#count(entry)
      return this.#bytes < before
    })
  }

  #makeRoom(): boolean {
    const { maxKept } = this.#options.config
    while (this.#entries.size >= maxKept) if (!this.#dropFinished()) return false
    return true
  }

  /** Drops the answer that ended first, preferably one without readers. Returns false if all of them run. */
  #dropFinished(): boolean {
    const finished = [...this.#entries.values()].filter(({ answer }) => !answer.isRunning)
    const entry = finished.find(({ answer }) => answer.readers === 0) ?? finished[0]
    if (entry === undefined) return false
    this.#remove(entry, 'This answer ended, and was dropped to make room for newer ones (server.answers).')
    // A slow reader must not keep memory that the total no longer includes.
    entry.answer.log.clear()
    return true
  }

  #remove(entry: Entry, removal: string): void {
    const { id } = entry.answer
    clearTimeout(entry.expiry)
    if (!this.#entries.delete(id)) return
    this.#bytes -= entry.bytes
    this.#removals.set(id, removal)
    const [oldest] = this.#removals.keys()
    if (this.#removals.size > MAX_REMEMBERED) this.#removals.delete(oldest!)
    this.#reportCounts()
    this.#metrics.bytes(this.#bytes)
  }

  /** Updates the total with the present size of the log of `entry`. */
  #count(entry: Entry): void {
    if (!this.#entries.has(entry.answer.id)) return
    const { bytes } = entry.answer.log
    this.#bytes += bytes - entry.bytes
    entry.bytes = bytes
  }

  #reportCounts(): void {
    const running = [...this.#entries.values()].filter(({ answer }) => answer.isRunning).length
    this.#metrics.counts(running, this.#entries.size - running)
  }
}
