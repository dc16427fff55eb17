/** Options of everything that can take long. `signal.reason` passes through unwrapped. */
export interface AbortOptions {
  readonly signal?: AbortSignal | undefined
}

/**
 * Waits for `promise`, but no longer than until `signal` aborts; then rejects with `signal.reason`. The work behind the
 * promise goes on: this is for waiting on what others share.
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
