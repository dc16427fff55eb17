import type { ChatRepository } from '../storage/chat-repository.ts'
import type { AnswerLocks } from './answer-locks.ts'
import type { Conversation } from './conversation.ts'

export interface SuccessionOptions {
  readonly repository: Pick<ChatRepository, 'loadStreaming' | 'loadMessage'>
  readonly conversation: Pick<Conversation, 'resume'>
  readonly locks: AnswerLocks
}

/** Takes up answers that their page has left. Those that another tab receives are taken up when it is closed. */
export class Succession {
  readonly #options: SuccessionOptions
  /** Answers that this tab waits for, by message id. */
  readonly #followed = new Set<string>()

  constructor(options: SuccessionOptions) {
    this.#options = options
  }

  /** All answers that were being written when they were last saved. */
  async resumeAll(): Promise<void> {
    const left = await this.#options.repository.loadStreaming()
    await Promise.all(left.map(({ id }) => this.#inherit(id)))
  }

  /** An answer that another tab receives now. Without locks nobody could tell when that tab is closed. */
  async follow(messageId: string): Promise<void> {
    if (this.#options.locks.exclusive) await this.#inherit(messageId)
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
