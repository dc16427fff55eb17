import type { Context, MiddlewareHandler } from 'hono'

/**
 * Pages run only this server's own scripts and styles, talk only to it, and can't be framed. Where the browser knows
 * Trusted Types, no string becomes markup or script either; the one policy, `petals-chat`, names the service worker.
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

/** Tells browsers to trust no more than needed, on pages and on answers alike. */
export function securityHeaders(): MiddlewareHandler {
  return async (c, next) => {
    await next()
    const { headers } = c.res
    headers.set('x-content-type-options', 'nosniff')
    headers.set('referrer-policy', 'no-referrer')
    // Not into the processes of other sites, as an image or a script that it is not (Spectre).
    headers.set('cross-origin-resource-policy', 'same-origin')
    if (headers.get('content-type')?.startsWith('text/html')) {
      headers.set('content-security-policy', CONTENT_SECURITY_POLICY)
      // A page that this one opens gets no hold of it.
      if (isTrustworthy(c)) headers.set('cross-origin-opener-policy', 'same-origin')
    }
  }
}

/**
 * Whether the browser takes the connection for a secure one. Over plain http from another machine it ignores an opener
 * policy and complains of it in the console; there it sends no Sec-Fetch headers either (W3C Fetch Metadata).
 */
function isTrustworthy(c: Context): boolean {
  return c.req.header('sec-fetch-site') !== undefined
}
