import { setTimeout as delay } from 'node:timers/promises'
import { chatsAtOnce } from './crowd.ts'
import type { FaultHarness, Prompt } from './fault-harness.ts'

/** Answers that were made while servers left and joined. */
export interface ChurnRun {
  readonly answers: number
  readonly identical: number
  readonly left: number
  readonly tokensPerSecond: number
  readonly calmTokensPerSecond: number
}

interface Answered {
  readonly answers: number
  readonly identical: number
  readonly tokensPerSecond: number
}

/** Keeps chats asking until the time is over. */
async function answerFor(harness: FaultHarness, prompt: Prompt, ms: number): Promise<Answered> {
  const startedAt = performance.now()
  const isOver = (): boolean => performance.now() - startedAt >= ms
  const all: boolean[] = []
  const chat = async (): Promise<void> => {
    while (!isOver()) {
      const { ids } = await harness.answer(prompt, [])
      all.push(ids.join() === prompt.expected.join())
    }
  }
  await Promise.all(Array.from({ length: chatsAtOnce }, chat))
  const seconds = (performance.now() - startedAt) / 1000
  const identical = all.filter(Boolean).length
  return { answers: all.length, identical, tokensPerSecond: (all.length * prompt.newTokens) / seconds }
}

/** Chats go on while a server is killed, and another one joins for it, every `everyMs`. */
export async function churnRun(
  harness: FaultHarness,
  prompt: Prompt,
  { ms, everyMs, calmMs }: Readonly<Record<'ms' | 'everyMs' | 'calmMs', number>>,
): Promise<ChurnRun> {
  const calm = await answerFor(harness, prompt, calmMs)
  const ending = new AbortController()
  let left = 0
  const churn = async (): Promise<void> => {
    while (!ending.signal.aborted) {
      const { servers } = harness.subject.swarm
      const working = servers.filter((server) => harness.replicasOf(server).includes(server))
      const server = working[Math.floor(harness.random() * working.length)]!
      if (harness.replicasOf(server).length > 1) {
        harness.kill(server)
        left++
      }
      await delay(everyMs, undefined, { signal: ending.signal }).catch(() => {})
    }
  }
  const churning = churn()
  const disturbed = await answerFor(harness, prompt, ms).finally(() => ending.abort())
  await churning
  await harness.repaired()
  return { ...disturbed, left, calmTokensPerSecond: calm.tokensPerSecond }
}
