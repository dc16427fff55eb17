export interface LinkedAbortController {
  readonly controller: AbortController
  /** To be called when the controller's work is over. */
  readonly unlink: () => void
}

/**
 * A controller that also aborts when `outer` does, with its reason. `AbortSignal.any` would do the same, but keeps every
 * signal that still has a listener for as long as `outer` lives: here, until the process ends.
 */
export function linkedAbortController(outer: AbortSignal): LinkedAbortController {
  const controller = new AbortController()
  const abort = () => controller.abort(outer.reason)
  if (outer.aborted) abort()
  else outer.addEventListener('abort', abort, { once: true })
  return { controller, unlink: () => outer.removeEventListener('abort', abort) }
}
