/** Sees to it that one tab at a time receives an answer. */
export interface AnswerLocks {
  /** False where tabs can't exclude each other. */
  readonly exclusive: boolean
  /** Runs `task` once no other tab receives the answer: at once, or when the other tab is closed. */
  hold(messageId: string, task: () => Promise<void>): Promise<void>
}

/** By the browser's Web Locks, which a tab that is closed or crashes gives back. */
export function createAnswerLocks(locks: LockManager | undefined): AnswerLocks {
  // Pages over plain http from another machine have none. Two readers of one answer get the same, so nothing is lost.
  if (!locks) return { exclusive: false, hold: async (_messageId, task) => task() }
  return {
    exclusive: true,
    async hold(messageId, task) {
      await locks.request(`petals-chat.answer.${messageId}`, task)
    },
  }
}
