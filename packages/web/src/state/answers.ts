import type { AnswerEvent, ChatRequest, StreamChatOptions } from '../api/chat-stream.ts'
import { toApiError, type ApiError } from '../api/errors.ts'
import { answerStats, applyEvent, startAnswer, type LiveAnswer } from '../chat/live-answer.ts'
import type { Message, MessageStatus } from '../chat/types.ts'
import { createStore, type Store } from './store.ts'

/** Asks the server for an answer. */
export type StreamChat = (request: ChatRequest, options: StreamChatOptions) => AsyncIterable<AnswerEvent>

/** Runs `task` soon, together with the next picture of the page. */
export type FrameScheduler = (task: () => void) => void

export interface AnswersOptions {
  readonly streamChat: StreamChat
  /** Keeps a message as it is now; called now and then while it is written, and at the end. */
  readonly save: (message: Message) => void
  readonly scheduleFrame: FrameScheduler
  /** Milliseconds; default `performance.now`. */
  readonly now?: () => number
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>
}

interface RunningAnswer {
  readonly abort: AbortController
  message: Message
  answer: LiveAnswer
  framePending: boolean
  savedAt: number
}

/** How often a running answer is saved: a crash of the browser loses no more than this. */
const SAVE_INTERVAL_MS = 1000
/** Attempts before the first word: a server that restarts or is full for a moment is not the reader's business. */
const MAX_ATTEMPTS = 3
const NETWORK_RETRY_MS = 1000
const CAPACITY_RETRY_MS = 3000
const MAX_RETRY_MS = 15_000

/** The answers that this tab is receiving, any number at once, apart from the components that show them. */
export class Answers {
  readonly #live = createStore<ReadonlyMap<string, LiveAnswer>>(new Map())
  readonly #running = new Map<string, RunningAnswer>()
  readonly #options: Required<AnswersOptions>

  constructor(options: AnswersOptions) {
    this.#options = { now: () => performance.now(), wait: sleep, ...options }
  }

  /** The answers in progress by message id; changes at most once per frame. */
  get live(): Store<ReadonlyMap<string, LiveAnswer>> {
    return this.#live
  }

  isRunning(messageId: string): boolean {
    return this.#running.has(messageId)
  }

  /** Writes the answer to `request` into `message`, after what it holds already. Resolves when it has ended, however. */
  async start(message: Message, request: ChatRequest): Promise<void> {
    const now = this.#options.now()
    const { id, chatId, content, reasoning } = message
    const running: RunningAnswer = {
      abort: new AbortController(),
      message: { ...message, status: 'streaming', model: request.model, error: undefined },
      answer: startAnswer({
        messageId: id,
        chatId,
        model: request.model,
        content,
        reasoning: reasoning ?? '',
        now,
      }),
      framePending: false,
      savedAt: now,
    }
    this.#running.set(id, running)
    this.#options.save(running.message)
    this.#show(running)
    try {
      await this.#receive(running, request)
      this.#end(running, running.answer.finishReason === 'length' ? 'length' : 'done')
    } catch (cause) {
      this.#fail(running, cause)
    }
  }

  /** Stops at once; what came stays. The closed connection stops the engine. */
  stop(messageId: string): void {
    this.#running.get(messageId)?.abort.abort()
  }

  /** Saves everything in progress, for a page that is being closed. */
  saveAll(): void {
    for (const running of this.#running.values()) this.#save(running, 'streaming')
  }

  async #receive(running: RunningAnswer, request: ChatRequest): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        for await (const event of this.#options.streamChat(request, { signal: running.abort.signal })) {
          running.answer = applyEvent(running.answer, event, this.#options.now())
          this.#scheduleFrame(running)
        }
        return
      } catch (cause) {
        running.abort.signal.throwIfAborted()
        const retry = retryAfter(toApiError(cause), attempt, running.answer)
        if (!retry) throw cause
        running.answer = {
          ...running.answer,
          retry: { reason: retry.reason, at: this.#options.now() + retry.delayMs },
        }
        this.#scheduleFrame(running)
        await this.#options.wait(retry.delayMs, running.abort.signal)
      }
    }
  }

  #scheduleFrame(running: RunningAnswer): void {
    if (running.framePending) return
    running.framePending = true
    this.#options.scheduleFrame(() => {
      running.framePending = false
      if (!this.#running.has(running.message.id)) return
      this.#show(running)
      if (this.#options.now() - running.savedAt >= SAVE_INTERVAL_MS) this.#save(running, 'streaming')
    })
  }

  #show(running: RunningAnswer): void {
    this.#live.update((live) => new Map(live).set(running.message.id, running.answer))
  }

  #save(running: RunningAnswer, status: MessageStatus, error?: Message['error']): void {
    const { content, reasoning } = running.answer
    running.savedAt = this.#options.now()
    running.message = {
      ...running.message,
      content,
      reasoning: reasoning || undefined,
      status,
      error,
      stats: answerStats(running.answer),
    }
    this.#options.save(running.message)
  }

  #end(running: RunningAnswer, status: MessageStatus, error?: Message['error']): void {
    this.#running.delete(running.message.id)
    this.#save(running, status, error)
    this.#live.update((live) => {
      const copy = new Map(live)
      copy.delete(running.message.id)
      return copy
    })
  }

  #fail(running: RunningAnswer, cause: unknown): void {
    if (running.abort.signal.aborted) return this.#end(running, 'stopped')
    const { kind, message, requestId } = toApiError(cause).details
    const begun = running.answer.pieces > 0
    this.#end(running, kind === 'network' && begun ? 'interrupted' : 'error', { kind, message, requestId })
  }
}

interface Retry {
  readonly reason: 'network' | 'capacity'
  readonly delayMs: number
}

/** Only before the first word, and only where the same request can succeed a moment later. */
function retryAfter({ details }: ApiError, attempt: number, answer: LiveAnswer): Retry | undefined {
  if (answer.pieces > 0 || attempt >= MAX_ATTEMPTS) return undefined
  if (details.kind === 'network') return { reason: 'network', delayMs: NETWORK_RETRY_MS * attempt }
  if (details.kind !== 'capacity') return undefined
  return { reason: 'capacity', delayMs: Math.min(MAX_RETRY_MS, details.retryAfterMs ?? CAPACITY_RETRY_MS) }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer)
      reject(signal.reason as Error)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    }, ms)
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
