/** A wish about keys that can't be fulfilled. The message says why, and what to do; but for `unavailable`, it is safe to show. */
export class AccessError extends Error {
  override readonly name = 'AccessError'
  /**
   * `not_found`: there is no such key; `not_granted`: its maker may not do this; `invalid`: the wish makes no sense;
   * `unavailable`: the file of keys can't be used at the moment, and the message, which names it, is for the operator.
   */
  readonly code: 'not_found' | 'not_granted' | 'invalid' | 'unavailable'

  constructor(code: AccessError['code'], message: string) {
    super(message)
    this.code = code
  }
}
