/** Options of everything that can take long. `signal.reason` passes through unwrapped. */
export interface AbortOptions {
  readonly signal?: AbortSignal | undefined
}
