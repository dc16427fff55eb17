import type { AnswerClient } from '../api/answer-client.ts'
import { answerStats, startAnswer, type LiveAnswer } from '../chat/live-answer.ts'
import { stopCalls } from '../chat/tool-calls.ts'
import type { Message, MessageError, MessageStatus } from '../chat/types.ts'
import type { PlanRequest } from './answer-run.ts'
import { AnswerTurn } from './answer-turn.ts'
import type { ChatTools } from './chat-tools.ts'
import type { ConsentDecision } from './tool-round.ts'
import { createStore, type Store } from '../store.ts'

/** Runs `task` soon, in the next animation frame. */
export type FrameScheduler = (task: () => void) => void

/** The messages between tabs about a running answer. */
export type AnswersChange =
  | { readonly type: 'live'; readonly answer: LiveAnswer }
  /** The tab that receives the answer must stop it. */
  | { readonly type: 'stop'; readonly messageId: string }
  | ConsentChange

/** The reader has decided about a call, perhaps in a tab that does not receive the answer. */
export interface ConsentChange {
  readonly type: 'consent'
  readonly messageId: string
  readonly callId: string
  readonly decision: ConsentDecision
}

export interface AnswersOptions {
  readonly client: AnswerClient
  readonly tools: ChatTools
  /** Sends a message to the other tabs. */
  readonly publish?: (change: AnswersChange) => void
  /** Saves a message; called at intervals while it is written, and at its end. Resolves when it is saved. */
  readonly save: (message: Message) => Promise<void>
  readonly scheduleFrame: FrameScheduler
  /** The clock, in milliseconds. Default: `performance.now`. */
  readonly now?: () => number
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>
  /** See `AnswerTurnOptions`. Default: often enough for tabs without locks. */
  readonly heartbeatMs?: number
}

interface RunningAnswer {
  readonly run: AnswerTurn
  message: Message
  answer: LiveAnswer
  framePending: boolean
  savedAt: number
  /** When this tab last sent the answer to the others. */
  publishedAt: number
  tellingLater: boolean
  /** Resolves when its last words are saved; undefined until it has ended. */
  kept: Promise<void> | undefined
}

/** How often a running answer is saved. A reload fetches the rest again. */
const SAVE_INTERVAL_MS = 1000
/** Often enough for reading along in another tab. */
const PUBLISH_INTERVAL_MS = 150
/** Well below the silence after which a tab counts as closed. */
const HEARTBEAT_MS = 3000

/** The running answers, independent of the components that show them. */
export class Answers {
  readonly #live = createStore<ReadonlyMap<string, LiveAnswer>>(new Map())
  readonly #running = new Map<string, RunningAnswer>()
  readonly #options: Required<AnswersOptions>

  constructor(options: AnswersOptions) {
    this.#options = {
      publish: () => {},
      now: () => performance.now(),
      wait: sleep,
      heartbeatMs: HEARTBEAT_MS,
      ...options,
    }
  }

  /**
   * The running answers by message id, including those that another tab receives. The answers of this tab change at most
   * once per frame.
   */
  get live(): Store<ReadonlyMap<string, LiveAnswer>> {
    return this.#live
  }

  /**
   * Writes an answer into `message`, after its present content; resumes its stream if it has a position.
   * Resolves when the answer has ended in any way and is saved.
   */
  async start(message: Message, plan: PlanRequest): Promise<void> {
    const { client, tools, heartbeatMs, now, wait } = this.#options
    const answer = startAnswer(message, now())
    const run = new AnswerTurn({
      client,
      tools,
      heartbeatMs,
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
      publishedAt: -Infinity,
      tellingLater: false,
      kept: undefined,
    }
    this.#running.set(message.id, running)
    void this.#options.save(running.message)
    this.#show(running)
    this.#publishProgress(running)
    const { status, error } = await run.run()
    this.#end(running, status, error)
    await running.kept
  }

  /**
   * Stops an answer immediately, here and on the server; keeps the text so far. If another tab receives it, stops it
   * there.
   */
  stop({ id, position }: Pick<Message, 'id' | 'position'>): void {
    const running = this.#running.get(id)
    if (running) {
      running.run.stop()
      return this.#end(running, 'stopped')
    }
    this.#options.publish({ type: 'stop', messageId: id })
    // The other tab may be asleep.
    if (position) void this.#options.client.cancel(position.answerId).catch(() => {})
  }

  /** Passes the reader’s decision about a call to the tab that receives the answer. */
  decide(messageId: string, callId: string, decision: ConsentDecision): void {
    const running = this.#running.get(messageId)
    if (running) running.run.decide(callId, decision)
    else this.#options.publish({ type: 'consent', messageId, callId, decision })
  }

  /** Handles a message from another tab. */
  receive(change: AnswersChange): void {
    if (change.type === 'stop') {
      if (this.#running.has(change.messageId)) this.stop({ id: change.messageId })
    } else if (change.type === 'consent') {
      this.#running.get(change.messageId)?.run.decide(change.callId, change.decision)
    } else if (!this.#running.has(change.answer.messageId)) {
      this.#live.update((live) => new Map(live).set(change.answer.messageId, change.answer))
    }
  }

  /** Reports whether this tab receives the answer. */
  isReceiving(messageId: string): boolean {
    return this.#running.has(messageId)
  }

  /**
   * Drops an answer that another tab no longer receives. If tabs can't exclude each other, this one may have
   * received it too: the other tab has its end, and the server may have forgotten it.
   */
  drop(messageId: string): void {
    this.#running.get(messageId)?.run.leave()
    this.#running.delete(messageId)
    if (this.#live.get().has(messageId)) this.#hide(messageId)
  }

  /** Call it when the network returns: older connections may be dead without a sign of it. */
  reconnect(): void {
    for (const { run } of this.#running.values()) run.reconnect()
  }

  /** Saves all running answers, for a page that is being closed. */
  saveAll(): void {
    for (const running of this.#running.values()) void this.#save(running, 'streaming')
  }

  #change(running: RunningAnswer, answer: LiveAnswer): void {
    const isStep = stepOf(running.answer) !== stepOf(answer)
    running.answer = answer
    if (isStep) void this.#save(running, 'streaming')
    this.#publishProgress(running)
    if (running.framePending) return
    running.framePending = true
    this.#options.scheduleFrame(() => {
      running.framePending = false
      if (!this.#isCurrent(running)) return
      this.#show(running)
      if (this.#options.now() - running.savedAt >= SAVE_INTERVAL_MS) void this.#save(running, 'streaming')
    })
  }

  /** Reports whether a running answer has been neither stopped nor restarted. */
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

  /**
   * Publishes as pieces arrive, not in frames or timers: a hidden tab has few of them while the reader watches the
   * other tab.
   */
  #publishProgress(running: RunningAnswer): void {
    const { publish, now } = this.#options
    const dueInMs = running.publishedAt + PUBLISH_INTERVAL_MS - now()
    if (dueInMs <= 0) {
      running.publishedAt = now()
      publish({ type: 'live', answer: running.answer })
    } else if (!running.tellingLater) {
      running.tellingLater = true
      setTimeout(() => {
        running.tellingLater = false
        if (this.#isCurrent(running)) this.#publishProgress(running)
      }, dueInMs)
    }
  }

  #save(running: RunningAnswer, status: MessageStatus, error?: MessageError): Promise<void> {
    const { content, reasoning, rounds, calls, leftOut, route, standIn, position } = running.answer
    const kept = status === 'streaming' ? calls : stopCalls(calls)
    running.savedAt = this.#options.now()
    running.message = {
      ...running.message,
      content,
      reasoning: reasoning || undefined,
      rounds: rounds.length > 0 ? rounds : undefined,
      calls: kept.length > 0 ? kept : undefined,
      status,
      error,
      stats: answerStats(running.answer),
      leftOut,
      route,
      standIn,
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

  /** The server need not keep an answer that is complete and saved here. */
  #forget({ answer: { position } }: RunningAnswer, status: MessageStatus): void {
    const isComplete = status === 'done' || status === 'length'
    if (isComplete && position) void this.#options.client.forget(position.answerId).catch(() => {})
  }
}

/** Changes with each step of an answer that must be saved at once: a reload would lose it. */
function stepOf({ position, rounds, calls }: LiveAnswer): string {
  return `${position !== undefined} ${rounds.length} ${calls.map(({ state }) => (state === 'writing' ? '' : state)).join()}`
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
