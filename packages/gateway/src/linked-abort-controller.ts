export interface LinkedAbortController {
  readonly controller: AbortController
  /** Call this when the controller's work is done. */
  readonly unlink: () => void
}

/**
 * Returns a controller that also aborts when one of `outer` does, with its reason. `AbortSignal.any` would do the same, but keeps
 * every signal with a remaining listener for the lifetime of an outer one: here, until the process ends.
 */
export function linkedAbortController(...outer: readonly AbortSignal[]): LinkedAbortController {
  const controller = new AbortController()
  const abort = ({ target }: Pick<Event, 'target'>) => controller.abort((target as AbortSignal).reason)
  for (const signal of outer) {
    if (signal.aborted) abort({ target: signal })
    else signal.addEventListener('abort', abort, { once: true })
  }
  const unlink = () => outer.forEach((signal) => signal.removeEventListener('abort', abort))
  return { controller, unlink }
}
