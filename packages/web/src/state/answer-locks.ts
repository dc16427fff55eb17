/** Ensures that only one tab at a time receives an answer. */
export interface AnswerLocks {
  /** False if tabs can't exclude each other. */
  readonly exclusive: boolean
  /** Runs `task` as soon as no other tab receives the answer: at once, or when the other tab is closed. */
  hold(messageId: string, task: () => Promise<void>): Promise<void>
}

/** Uses the browser's Web Locks, which are released when a tab is closed or crashes. */
export function createAnswerLocks(locks: LockManager | undefined): AnswerLocks {
  // Pages over plain http from another machine have no locks. Two tabs that receive one answer get the same text, so
  // nothing is lost.
  if (!locks) return { exclusive: false, hold: async (_messageId, task) => task() }
  return {
    exclusive: true,
    async hold(messageId, task) {
      await locks.request(`petals-chat.answer.${messageId}`, task)
    },
  }
}
