import type { Session } from '@petals-chat/engine'
import type { FaultHarness, Prompt } from './fault-harness.ts'

/** Chats that go on at the same time. */
export const chatsAtOnce = 8

export interface CrowdOptions {
  readonly chats?: number
  /** The fault comes when the first chat has this many tokens. */
  readonly afterTokens: number
  /** Does the harm once, to the servers of that chat. */
  readonly strike: (session: Session) => void
}

/** Answers that were made at the same time while servers or links failed. */
export interface CrowdRun {
  readonly answers: number
  readonly identical: number
  readonly failovers: number
  /** The longest wait for a token in any of the answers. */
  readonly pauseMs: number
}

/** Makes answers at once, does harm in their midst, and compares them with the undisturbed one. */
export async function answerAtOnce(
  harness: FaultHarness,
  prompt: Prompt,
  { chats = chatsAtOnce, afterTokens, strike }: CrowdOptions,
): Promise<CrowdRun> {
  let hasStruck = false
  const act = (session: Session): void => {
    if (hasStruck) return
    hasStruck = true
    strike(session)
  }
  const answers = await Promise.all(
    Array.from({ length: chats }, () => harness.answer(prompt, [{ afterTokens, delayMs: 0, act }])),
  )
  return {
    answers: chats,
    identical: answers.filter(({ ids }) => ids.join() === prompt.expected.join()).length,
    failovers: answers.reduce((sum, { failovers }) => sum + failovers, 0),
    pauseMs: Math.max(...answers.map(({ longestMs }) => longestMs)),
  }
}
