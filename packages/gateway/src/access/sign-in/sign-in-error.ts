/**
 * Why a sign-in failed. `denied`: the person, or the provider in their name, said no. `not_allowed`: the account is not in
 * the list of users. `expired`: it took too long, or began in another tab or browser. `provider`: the provider can't be
 * reached, or answered wrongly.
 */
export type SignInFailure = 'denied' | 'not_allowed' | 'expired' | 'provider'

/** A sign-in through a provider failed. The message is for the log; the page has words of its own for the failure. */
export class SignInError extends Error {
  override readonly name = 'SignInError'
  readonly failure: SignInFailure

  constructor(failure: SignInFailure, message: string, options?: ErrorOptions) {
    super(message, options)
    this.failure = failure
  }
}
