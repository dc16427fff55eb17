import type { AnswerClient } from './answer-client.ts'

/**
 * Lets up to `limit` answers stream at once; the others wait for their turn. Browsers open six connections to a server at
 * most (HTTP/1.1); the connections that answers leave free serve everything else: listing models, stopping an answer.
 */
export function limitStreams(client: AnswerClient, limit: number): AnswerClient {
  let running = 0
  const waiting: (() => void)[] = []
  const enter = (signal: AbortSignal): Promise<void> | undefined => {
    if (running < limit) {
      running += 1
      return undefined
    }
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        waiting.splice(waiting.indexOf(take), 1)
        reject(signal.reason as Error)
      }
      const take = (): void => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      waiting.push(take)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }
  const leave = (): void => {
    const next = waiting.shift()
    // The slot goes to the next answer.
    if (next) next()
    else running -= 1
  }
  return {
    async *request(request, options) {
      await enter(options.signal)
      try {
        yield* client.request(request, options)
      } finally {
        leave()
      }
    },
    async *resume(position, options) {
      await enter(options.signal)
      try {
        yield* client.resume(position, options)
      } finally {
        leave()
      }
    },
    cancel: (answerId) => client.cancel(answerId),
    forget: (answerId) => client.forget(answerId),
  }
}
