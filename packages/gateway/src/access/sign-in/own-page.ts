import type { CallerRequest } from '../access.ts'

/**
 * Reports whether a page of another origin sent a request, as far as the browser says. `server.cors` may let such pages use
 * the APIs with a key of their own, but never with the cookie of a person who is signed in here: pages of the same site
 * (another port, a neighbouring subdomain) would get it in spite of SameSite.
 */
export function isForeignPage(request: Pick<CallerRequest, 'header'>): boolean {
  const origin = request.header('origin')
  if (origin !== undefined)
    return !URL.canParse(origin) || new URL(origin).host !== request.header('host')?.toLowerCase()
  const site = request.header('sec-fetch-site')
  return site === 'cross-site' || site === 'same-site'
}
