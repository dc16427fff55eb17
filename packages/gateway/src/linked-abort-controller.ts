export interface LinkedAbortController {
  readonly controller: AbortController
  /** Call this when the controller's work is done. */
  readonly unlink: () => void
}

/**
 * Returns a controller that also aborts when `outer` does, with its reason. `AbortSignal.any` would do the same, but keeps
 * every signal with a remaining listener for the lifetime of `outer`: here, until the process ends.
 */
export function linkedAbortController(outer: AbortSignal): LinkedAbortController {
  const controller = new AbortController()
  const abort = () => controller.abort(outer.reason)
  if (outer.aborted) abort()
  else outer.addEventListener('abort', abort, { once: true })
  return { controller, unlink: () => outer.removeEventListener('abort', abort) }
}
