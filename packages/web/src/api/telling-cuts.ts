import type { AnswerClient } from './answer-client.ts'
import { toApiError } from './errors.ts'

/** Calls back when a connection can't be made or breaks: the server may be gone. */
export function tellingCuts(client: AnswerClient, onCut: () => void): AnswerClient {
  async function* watched<T>(chunks: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
    try {
      yield* chunks
    } catch (cause) {
      // What the page itself has ended says nothing of the server.
      if (!signal.aborted && toApiError(cause).details.kind === 'network') onCut()
      throw cause
    }
  }
  return {
    ...client,
    request: (request, options) => watched(client.request(request, options), options.signal),
    resume: (position, options) => watched(client.resume(position, options), options.signal),
  }
}
