/** A wish about keys that can't be fulfilled. The message says why, and what to do; it is safe to show. */
export class AccessError extends Error {
  override readonly name = 'AccessError'
  /** `not_found`: there is no such key; `not_granted`: its maker may not do this; `invalid`: the wish makes no sense. */
  readonly code: 'not_found' | 'not_granted' | 'invalid'

  constructor(code: AccessError['code'], message: string) {
    super(message)
    this.code = code
  }
}
