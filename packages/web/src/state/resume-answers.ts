import type { ChatRepository } from '../storage/chat-repository.ts'
import type { AnswerLocks } from './answer-locks.ts'
import type { Conversation } from './conversation.ts'

export interface ResumeOptions {
  readonly repository: Pick<ChatRepository, 'loadStreaming' | 'loadMessage'>
  readonly conversation: Pick<Conversation, 'resume'>
  readonly locks: AnswerLocks
}

/**
 * Takes up all answers that were being written when their page was left. Those that another tab receives are left to
 * it, and taken up when it is closed.
 */
export async function resumeAnswers({ repository, conversation, locks }: ResumeOptions): Promise<void> {
  const left = await repository.loadStreaming()
  await Promise.all(
    left.map(({ id }) =>
      locks.hold(id, async () => {
        // What the other tab has written meanwhile.
        const message = await repository.loadMessage(id)
        if (message?.status === 'streaming') await conversation.resume(message)
      }),
    ),
  )
}
