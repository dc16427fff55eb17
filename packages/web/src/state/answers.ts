import type { AnswerClient } from '../api/answer-client.ts'
import { answerStats, startAnswer, type LiveAnswer } from '../chat/live-answer.ts'
import type { Message, MessageError, MessageStatus } from '../chat/types.ts'
import { AnswerRun, type PlanRequest } from './answer-run.ts'
import { createStore, type Store } from '../store.ts'

/** Runs `task` soon, together with the next picture of the page. */
export type FrameScheduler = (task: () => void) => void

/** What other tabs are told, and tell, while an answer is written. */
export type AnswersChange =
  | { readonly type: 'live'; readonly answer: LiveAnswer }
  /** Whoever receives the answer shall stop it. */
  | { readonly type: 'stop'; readonly messageId: string }

export interface AnswersOptions {
  readonly client: AnswerClient
  /** Tells the other tabs. */
  readonly publish?: (change: AnswersChange) => void
  /** Keeps a message as it is now; called now and then while it is written, and at the end. Resolves when it is kept. */
  readonly save: (message: Message) => Promise<void>
  readonly scheduleFrame: FrameScheduler
  /** Milliseconds; default `performance.now`. */
  readonly now?: () => number
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>
}

interface RunningAnswer {
  readonly run: AnswerRun
  message: Message
  answer: LiveAnswer
  framePending: boolean
  savedAt: number
  /** When the other tabs were last told. */
  toldAt: number
  tellingLater: boolean
  /** Resolves when its last words are kept; undefined until it has ended. */
  kept: Promise<void> | undefined
}

/** How often a running answer is saved. What was not is fetched again after a reload. */
const SAVE_INTERVAL_MS = 1000
/** Often enough to read along in another tab. */
const TELL_INTERVAL_MS = 150

/** The answers in progress, any number at once, apart from the components that show them. */
export class Answers {
  readonly #live = createStore<ReadonlyMap<string, LiveAnswer>>(new Map())
  readonly #running = new Map<string, RunningAnswer>()
  readonly #options: Required<AnswersOptions>

  constructor(options: AnswersOptions) {
    this.#options = { publish: () => {}, now: () => performance.now(), wait: sleep, ...options }
  }

  /**
   * The answers in progress by message id, those that another tab receives too. What this tab receives changes at most
   * once per frame.
   */
  get live(): Store<ReadonlyMap<string, LiveAnswer>> {
    return this.#live
  }

  /**
   * Writes an answer into `message`, after what it holds already; one with a position takes its stream up again.
   * Resolves when it has ended, however, and is kept.
   */
  async start(message: Message, plan: PlanRequest): Promise<void> {
    const { client, now, wait } = this.#options
    const answer = startAnswer(message, now())
    const run = new AnswerRun({
      client,
      answer,
      plan,
      now,
      wait,
      onChange: (next) => this.#change(running, next),
    })
    const running: RunningAnswer = {
      run,
      message: { ...message, status: 'streaming', error: undefined },
      answer,
      framePending: false,
      savedAt: now(),
      toldAt: -Infinity,
      tellingLater: false,
      kept: undefined,
    }
    this.#running.set(message.id, running)
    void this.#options.save(running.message)
    this.#show(running)
    this.#tell(running)
    const { status, error } = await run.run()
    this.#end(running, status, error)
    await running.kept
  }

  /** Stops at once, here and on the server; what came stays. One that another tab receives is stopped there. */
  stop({ id, position }: Pick<Message, 'id' | 'position'>): void {
    const running = this.#running.get(id)
    if (running) {
      running.run.stop()
      return this.#end(running, 'stopped')
    }
    this.#options.publish({ type: 'stop', messageId: id })
    // That tab may be asleep.
    if (position) void this.#options.client.cancel(position.answerId).catch(() => {})
  }

  /** What another tab receives, or wants to be stopped. */
  receive(change: AnswersChange): void {
    if (change.type === 'stop') {
      if (this.#running.has(change.messageId)) this.stop({ id: change.messageId })
    } else if (!this.#running.has(change.answer.messageId)) {
      this.#live.update((live) => new Map(live).set(change.answer.messageId, change.answer))
    }
  }

  /** Whether this tab receives the answer. */
  isReceiving(messageId: string): boolean {
    return this.#running.has(messageId)
  }

  /**
   * An answer that another tab received, and doesn't any more. Where tabs can't exclude each other this one may have
   * received it too: the other one has the end of it, and the server may have forgotten it.
   */
  drop(messageId: string): void {
    this.#running.get(messageId)?.run.leave()
    this.#running.delete(messageId)
    if (this.#live.get().has(messageId)) this.#hide(messageId)
  }

  /** The network is back: connections from before may be dead without knowing it. */
  reconnect(): void {
    for (const { run } of this.#running.values()) run.reconnect()
  }

  /** Saves everything in progress, for a page that is being closed. */
  saveAll(): void {
    for (const running of this.#running.values()) void this.#save(running, 'streaming')
  }

  #change(running: RunningAnswer, answer: LiveAnswer): void {
    const isFound = running.answer.position === undefined && answer.position !== undefined
    running.answer = answer
    if (isFound) void this.#save(running, 'streaming')
    this.#tell(running)
    if (running.framePending) return
    running.framePending = true
    this.#options.scheduleFrame(() => {
      running.framePending = false
      if (!this.#isCurrent(running)) return
      this.#show(running)
      if (this.#options.now() - running.savedAt >= SAVE_INTERVAL_MS) void this.#save(running, 'streaming')
    })
  }

  /** Not stopped, and not started anew since. */
  #isCurrent(running: RunningAnswer): boolean {
    return this.#running.get(running.message.id) === running
  }

  #show(running: RunningAnswer): void {
    this.#live.update((live) => new Map(live).set(running.message.id, running.answer))
  }

  #hide(messageId: string): void {
    this.#live.update((live) => {
      const copy = new Map(live)
      copy.delete(messageId)
      return copy
    })
  }

  /** As pieces come, not with frames or timers only: a hidden tab has few, and it is the other one that is looked at. */
  #tell(running: RunningAnswer): void {
    const { publish, now } = this.#options
    const dueInMs = running.toldAt + TELL_INTERVAL_MS - now()
    if (dueInMs <= 0) {
      running.toldAt = now()
      publish({ type: 'live', answer: running.answer })
    } else if (!running.tellingLater) {
      running.tellingLater = true
      setTimeout(() => {
        running.tellingLater = false
        if (this.#isCurrent(running)) this.#tell(running)
      }, dueInMs)
    }
  }

  #save(running: RunningAnswer, status: MessageStatus, error?: MessageError): Promise<void> {
    const { content, reasoning, leftOut, route, position } = running.answer
    running.savedAt = this.#options.now()
    running.message = {
      ...running.message,
      content,
      reasoning: reasoning || undefined,
      status,
      error,
      stats: answerStats(running.answer),
      leftOut,
      route,
      position: status === 'streaming' ? position : undefined,
      savedAt: Date.now(),
    }
    return this.#options.save(running.message)
  }

  #end(running: RunningAnswer, status: MessageStatus, error?: MessageError): void {
    if (!this.#isCurrent(running)) return
    this.#running.delete(running.message.id)
    running.kept = this.#save(running, status, error)
    void running.kept.then(() => this.#forget(running, status))
    this.#hide(running.message.id)
  }

  /** What is complete, and kept here, the server need not keep. */
  #forget({ answer: { position } }: RunningAnswer, status: MessageStatus): void {
    const isComplete = status === 'done' || status === 'length'
    if (isComplete && position) void this.#options.client.forget(position.answerId).catch(() => {})
  }
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
