import { signInFailures, type SignInFailure } from '../api/session.ts'

const QUERY = 'sign-in'
const PLACE_KEY = 'petals-chat.place'

/** Remembers the open chat for the way back from the provider, whose redirect leads to the page's own address. */
export function rememberPlace(window: Window): void {
  try {
    window.sessionStorage.setItem(PLACE_KEY, window.location.hash)
  } catch {
    // Without storage, the page opens at its beginning.
  }
}

/**
 * Goes to the place that was open before the way to the provider, and takes the result of the sign-in out of the page's
 * address: a reload must not tell it again. Returns why the sign-in failed, if it did.
 */
export function returnFromProvider(window: Window): SignInFailure | undefined {
  const address = new URL(window.location.href)
  const result = address.searchParams.get(QUERY)
  address.searchParams.delete(QUERY)
  const place = takePlace(window)
  if (address.hash === '' && place !== '') address.hash = place
  if (address.href !== window.location.href) window.history.replaceState(null, '', address)
  return signInFailures.find((failure) => failure === result)
}

function takePlace(window: Window): string {
  try {
    const place = window.sessionStorage.getItem(PLACE_KEY) ?? ''
    window.sessionStorage.removeItem(PLACE_KEY)
    return place
  } catch {
    return ''
  }
}
