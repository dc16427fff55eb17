import { setTimeout as sleep } from 'node:timers/promises'
import type { PetalsChat } from '../../tests/e2e/support/petals-chat.ts'
import { growthOf } from '../support/process-state.ts'
import type { Finding } from './attacks.ts'

const REQUESTS = 500
/** About 8,000 tokens. */
const PROMPT = 'The quick brown fox jumps over the lazy dog. '.repeat(800)
/** All that one model serves or lets wait (server.sessions.queueLength, llama.sequences). */
const ADMITTED = 64 + 4

const body = (content: string, maxTokens: number) =>
  JSON.stringify({ messages: [{ role: 'user', content }], max_tokens: maxTokens })

const post = (url: string, text: string, signal?: AbortSignal) =>
  fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: text,
    ...(signal && { signal }),
  })

/** 500 requests with 8,000 tokens each at once (G4). Those that wait are cut off when all others are answered. */
export async function promptFlood({ url, process: { pid } }: PetalsChat): Promise<Finding> {
  const stop = new AbortController()
  let refused = 0
  let wrong = 0
  let answered = 0
  const ask = async (): Promise<void> => {
    const response = await post(url, body(PROMPT, 1), stop.signal).catch((error: unknown) => {
      if (!stop.signal.aborted) throw error
    })
    if (response === undefined) return
    const isRefusal = response.status === 429 || response.status === 503
    if (response.ok) answered++
    else if (isRefusal && Number(response.headers.get('retry-after')) > 0) refused++
    else wrong++
    await response.text().catch(() => '')
  }
  const startedAt = performance.now()
  let refusedAfterMs = 0
  const grownMiB = await growthOf(pid!, async () => {
    const asked = Promise.allSettled(Array.from({ length: REQUESTS }, ask))
    while (refused + wrong + answered < REQUESTS - ADMITTED && performance.now() - startedAt < 60_000)
      await sleep(50)
    refusedAfterMs = Math.round(performance.now() - startedAt)
    stop.abort()
    wrong += (await asked).filter(({ status }) => status === 'rejected').length
  })
  const freedAt = performance.now()
  const { status } = await post(url, body('Hi', 1))
  const servedAfterMs = Math.round(performance.now() - freedAt)
  return {
    attack: `G4: ${REQUESTS} prompts of 8,000 tokens at once`,
    holds: wrong === 0 && refused > 0 && status === 200 && servedAfterMs <= 5_000 && grownMiB <= 160,
    figures: { refused, wrong, refusedAfterMs, servedAfterMs, grownMiB },
  }
}
