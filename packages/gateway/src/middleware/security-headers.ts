import type { Context, MiddlewareHandler } from 'hono'
import { isApiPath } from '../request-path.ts'

/**
 * Pages run only this server's scripts and styles, connect only to it, and can't be framed. In browsers with Trusted Types,
 * no string becomes markup or script either; the only policy, `petals-chat`, names the service worker.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types petals-chat',
].join('; ')

/** Restricts what browsers allow, on pages and on API responses. */
export function securityHeaders(): MiddlewareHandler {
  return async (c, next) => {
    await next()
    const { headers } = c.res
    headers.set('x-content-type-options', 'nosniff')
    headers.set('referrer-policy', 'no-referrer')
    // Other sites must not load a response into their process as an image or a script (Spectre).
    headers.set('cross-origin-resource-policy', 'same-origin')
    // What an API answers depends on its caller: a cache between must not give it to another one.
    if (isApiPath(c.req.path) && !headers.has('cache-control')) headers.set('cache-control', 'no-store')
    if (headers.get('content-type')?.startsWith('text/html')) {
      headers.set('content-security-policy', CONTENT_SECURITY_POLICY)
      // A page that this one opens gets no reference to it.
      if (isTrustworthy(c)) headers.set('cross-origin-opener-policy', 'same-origin')
    }
  }
}

/**
 * Reports whether the browser treats the connection as secure. Over plain http from another machine it ignores an opener
 * policy and warns in the console; there it sends no Sec-Fetch headers either (W3C Fetch Metadata).
 */
function isTrustworthy(c: Context): boolean {
  return c.req.header('sec-fetch-site') !== undefined
}
