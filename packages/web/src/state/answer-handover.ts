import { hasOpenCalls } from '../chat/tool-calls.ts'
import type { ChatRepository } from '../storage/chat-repository.ts'
import type { AnswerLocks } from './answer-locks.ts'
import type { Conversation } from './conversation.ts'

export interface AnswerHandoverOptions {
  readonly repository: Pick<ChatRepository, 'loadStreaming' | 'loadMessage'>
  readonly conversation: Pick<Conversation, 'resume'>
  readonly locks: AnswerLocks
  /** How long a tab may be silent before it counts as closed, if there are no locks. */
  readonly silenceMs?: number
}

const SILENCE_MS = 10_000

const ignore = (): void => {}

/** Resumes answers that a closed page left unfinished. Takes over the answers of another tab when that tab is closed. */
export class AnswerHandover {
  readonly #options: AnswerHandoverOptions
  /** Message ids of the answers that this tab waits to take over. */
  readonly #followed = new Set<string>()
  /** The same without locks: each timer ends when the other tab has been silent for too long. */
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>()

  constructor(options: AnswerHandoverOptions) {
    this.#options = options
  }

  /** Resumes all answers that were unfinished when they were last saved. */
  async resumeAll(): Promise<void> {
    const { locks, repository } = this.#options
    const left = await repository.loadStreaming()
    await Promise.all(
      left.map(({ id, calls }) =>
        // Text that two tabs receive is the same; a call that two tabs run is done twice.
        locks.exclusive || !hasOpenCalls(calls) ? this.#inherit(id) : this.follow(id),
      ),
    )
  }

  /**
   * Waits to take over an answer that another tab receives; call it again at each sign of life from that tab. Never
   * rejects.
   */
  async follow(messageId: string): Promise<void> {
    const { locks } = this.#options
    // If the database can't be read, there is nothing to take over: the next reload tries again.
    if (locks.exclusive) return this.#inherit(messageId).catch(ignore)
    this.#awaitSign(messageId)
  }

  /**
   * Takes the answer over if the other tab gives no sign of life. A timer that is due after this tab was paused (the computer
   * slept, a debugger stopped it) runs before the signs that came meanwhile are read: they get time to be, once.
   */
  #awaitSign(messageId: string, wasPutOff = false): void {
    const { silenceMs = SILENCE_MS } = this.#options
    const dueAt = performance.now() + silenceMs
    clearTimeout(this.#timers.get(messageId))
    const end = (): void => {
      const isLate = performance.now() - dueAt > silenceMs / 4
      if (isLate && !wasPutOff) this.#awaitSign(messageId, true)
      else void this.#takeOver(messageId).catch(ignore)
    }
    this.#timers.set(messageId, setTimeout(end, silenceMs))
  }

  /** If the other tab was only slow, both receive the answer, and the first to finish notifies the other. */
  async #takeOver(messageId: string): Promise<void> {
    this.#timers.delete(messageId)
    const { repository, conversation } = this.#options
    const message = await repository.loadMessage(messageId)
    if (message?.status !== 'streaming') return
    // Without a position the answer would be requested a second time, perhaps while the other tab waits for its turn.
    const canResume = message.position !== undefined || hasOpenCalls(message.calls)
    await (canResume ? conversation.resume(message) : this.follow(messageId))
  }

  async #inherit(messageId: string): Promise<void> {
    if (this.#followed.has(messageId)) return
    this.#followed.add(messageId)
    const { repository, conversation, locks } = this.#options
    try {
      await locks.hold(messageId, async () => {
        // The text that the other tab has written meanwhile.
        const message = await repository.loadMessage(messageId)
        if (message?.status === 'streaming') await conversation.resume(message)
      })
    } finally {
      this.#followed.delete(messageId)
    }
  }
}
