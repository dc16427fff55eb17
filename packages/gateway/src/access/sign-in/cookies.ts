import type { Context } from 'hono'
import { generateCookie } from 'hono/cookie'
import { parse } from 'hono/utils/cookie'

/** A cookie of the page. `lax`: also sent when the browser comes back from a provider. */
export interface PageCookie {
  readonly name: 'petals_chat_session' | 'petals_chat_sign_in'
  readonly sameSite: 'Strict' | 'Lax'
}

export const sessionCookie: PageCookie = { name: 'petals_chat_session', sameSite: 'Strict' }
export const attemptCookie: PageCookie = { name: 'petals_chat_sign_in', sameSite: 'Lax' }

/** Where the browser sees this server. */
export interface PagePlace {
  /** Whether the browser speaks TLS, to this server or to the proxy in front of it. */
  readonly secure: boolean
  /** The path of the page, without a final slash except for `/`. */
  readonly path: string
}

/**
 * Sets a cookie that no script can read, and that no other host and, behind TLS, no plain connection can set: browsers
 * hold the prefixes `__Host-` and `__Secure-` to that (RFC 6265bis, section 4.1.3).
 */
export function writeCookie(
  c: Context,
  { name, sameSite }: PageCookie,
  value: string,
  { secure, path, maxAgeSeconds }: PagePlace & { readonly maxAgeSeconds: number },
): void {
  const prefix = prefixOf({ secure, path })
  const options = { path, secure, sameSite, httpOnly: true, maxAge: maxAgeSeconds } as const
  c.header('set-cookie', generateCookie(`${prefix}${name}`, value, options), { append: true })
}

/** Removes a cookie, under whichever name it was set. */
export function clearCookie(c: Context, cookie: PageCookie, place: PagePlace): void {
  writeCookie(c, cookie, '', { ...place, maxAgeSeconds: 0 })
}

/** Reads a cookie from the header `cookie`; the one that was hardest to plant counts. */
export function readCookie(header: string | undefined, { name }: PageCookie): string | undefined {
  if (header === undefined) return undefined
  const all = parse(header)
  return ['__Host-', '__Secure-', '']
    .map((prefix) => all[`${prefix}${name}`])
    .find((value) => value !== undefined)
}

function prefixOf({ secure, path }: PagePlace): '' | '__Host-' | '__Secure-' {
  if (!secure) return ''
  return path === '/' ? '__Host-' : '__Secure-'
}
