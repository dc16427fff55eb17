import type { ChatRepository } from '../storage/chat-repository.ts'
import type { AnswerLocks } from './answer-locks.ts'
import type { Conversation } from './conversation.ts'

export interface AnswerHandoverOptions {
  readonly repository: Pick<ChatRepository, 'loadStreaming' | 'loadMessage'>
  readonly conversation: Pick<Conversation, 'resume'>
  readonly locks: AnswerLocks
  /** How long nothing is heard from a tab before it counts as closed, where there are no locks. */
  readonly silenceMs?: number
}

const SILENCE_MS = 10_000

/** Takes up answers that their page has left. Those that another tab receives are taken up when it is closed. */
export class AnswerHandover {
  readonly #options: AnswerHandoverOptions
  /** Answers that this tab waits for, by message id. */
  readonly #followed = new Set<string>()
  /** The same where there are no locks: until the other tab has been silent for too long. */
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>()

  constructor(options: AnswerHandoverOptions) {
    this.#options = options
  }

  /** All answers that were being written when they were last saved. */
  async resumeAll(): Promise<void> {
    const left = await this.#options.repository.loadStreaming()
    await Promise.all(left.map(({ id }) => this.#inherit(id)))
  }

  /** An answer that another tab receives now; to be told again with each sign of it. */
  async follow(messageId: string): Promise<void> {
    const { locks, silenceMs = SILENCE_MS } = this.#options
    if (locks.exclusive) return this.#inherit(messageId)
    clearTimeout(this.#timers.get(messageId))
    this.#timers.set(
      messageId,
      // Where the database can't be read there is nothing to take over: the next reload looks again.
      setTimeout(() => void this.#takeOver(messageId).catch(() => {}), silenceMs),
    )
  }

  /** If the other tab was only slow, both receive the answer, and the first to have its end tells the other. */
  async #takeOver(messageId: string): Promise<void> {
    this.#timers.delete(messageId)
    const { repository, conversation } = this.#options
    const message = await repository.loadMessage(messageId)
    if (message?.status !== 'streaming') return
    // Without a position it would be asked for a second time, perhaps while the other tab waits for its turn.
    await (message.position ? conversation.resume(message) : this.follow(messageId))
  }

  async #inherit(messageId: string): Promise<void> {
    if (this.#followed.has(messageId)) return
    this.#followed.add(messageId)
    const { repository, conversation, locks } = this.#options
    try {
      await locks.hold(messageId, async () => {
        // What the other tab has written meanwhile.
        const message = await repository.loadMessage(messageId)
        if (message?.status === 'streaming') await conversation.resume(message)
      })
    } finally {
      this.#followed.delete(messageId)
    }
  }
}
