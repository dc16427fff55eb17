import { formatCount, pluralsOf } from './format.ts'

export const plural = pluralsOf('en')

/** The English texts of sign-in, and of what the server refuses its reader. */
export const signInEn = {
  signInTitle: 'Sign in to chat',
  signIn: 'Sign in',
  signingIn: 'Signing in…',
  signInWith: (provider: string) => `Sign in with ${provider}`,
  signInOr: 'or',
  signInKey: 'API key',
  signInKeyHint: 'The operator of this server gives out keys.',
  signInWrongKey: 'This key is not valid here. It may have expired, or a part of it is missing.',
  signInTooOften: 'There were too many attempts.',
  signInByProxy: 'The proxy in front of this server has to sign you in. Please ask its operator.',
  signInEnded: 'Your sign-in has ended. Please sign in again to go on.',
  signInDenied: 'You were not signed in: the sign-in was refused or cancelled.',
  signInNotAllowed: 'Your account may not use this server. Please ask its operator.',
  signInExpired: 'The sign-in took too long, or began in another window. Please try again.',
  signInProvider: 'The sign-in service can’t be reached, or answered wrongly. Please try again later.',
  signInChatsStay: 'Your chats stay in this browser, also while you are signed out.',
  signedInAs: 'Signed in as',
  signOut: 'Sign out',
  signOutFailed: 'You could not be signed out: the server can’t be reached.',
  errorRateLimit: 'You have reached your limit on this server.',
  errorSignedOut: 'You are not signed in any more.',
  errorSignedOutHalfway: 'Your sign-in ended while this answer was written. The text so far is kept.',
  errorForbidden: 'You may not do this with your sign-in.',
  retryingRateLimit: 'You have reached your limit. It goes on in a moment…',
  goOnIn: (seconds: number) =>
    seconds < 120
      ? plural(seconds, {
          one: 'You can go on in 1 second.',
          other: `You can go on in ${formatCount(seconds)} seconds.`,
        })
      : `You can go on in ${formatCount(Math.ceil(seconds / 60))} minutes.`,
  goOnAt: (time: string) => `You can go on at ${time}.`,
  goOnNow: 'You can go on now.',
}
