/** Options of every operation that may take long. An abort rejects with `signal.reason` itself, unwrapped. */
export interface AbortOptions {
  readonly signal?: AbortSignal | undefined
}

/**
 * Waits for `promise` until `signal` aborts, then rejects with `signal.reason`. The work behind the promise continues,
 * because other callers may share it.
 */
export async function abortable<T>(promise: PromiseLike<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  const aborted = Promise.withResolvers<never>()
  const onAbort = () => aborted.reject(signal.reason)
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([aborted.promise, promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
