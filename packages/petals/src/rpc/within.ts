export interface WithinOptions {
  readonly signal?: AbortSignal | undefined
  /** The reason that is thrown when it takes too long. */
  readonly late?: (() => Error) | undefined
}

const timedOut = (): Error => new DOMException('The operation took too long.', 'TimeoutError')

/**
 * Runs something with a signal that is aborted after a time. Unlike `AbortSignal.timeout`, it leaves no timer behind, which would
 * keep what listens to the signal in memory: a server has thousands of these a second.
 */
export async function within<T>(
  ms: number,
  { signal, late = timedOut }: WithinOptions,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController()
  const timer = setTimeout(() => over.abort(late()), ms)
  try {
    return await run(signal ? AbortSignal.any([signal, over.signal]) : over.signal)
  } finally {
    clearTimeout(timer)
  }
}
