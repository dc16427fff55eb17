import { type Context, Hono } from 'hono'
import {
  attemptCookie,
  clearCookie,
  type PagePlace,
  readCookie,
  sessionCookie,
  writeCookie,
} from '../access/sign-in/cookies.ts'
import type { SignInAttempt } from '../access/sign-in/openid-provider.ts'
import { redirectUriOf } from '../access/sign-in/page-place.ts'
import type { StartedSession } from '../access/sign-in/page-sessions.ts'
import { ATTEMPT_SECONDS, readAttempt, writeAttempt } from '../access/sign-in/sign-in-attempt.ts'
import { SignInError } from '../access/sign-in/sign-in-error.ts'
import type { GatewayContext, GatewayVariables, RouteModule } from '../context.ts'
import { GatewayError } from '../errors.ts'
import type { RequestContext } from '../middleware/error-handler.ts'

/**
 * `/sign-in` and `/sign-in/callback`: the way of a browser to the OpenID Connect provider and back. Both answer with a
 * redirect, because a person sees the answer; the page says why a sign-in failed. The redirects are relative, so they hold
 * below any path of a proxy.
 */
export const signInRoutes: RouteModule = (context) => {
  const { basePath } = context.config
  return new Hono<{ Variables: GatewayVariables }>()
    .get('/sign-in', async (c) => {
      const { openid } = await openIdOf(context)
      try {
        const { url, attempt } = await openid.begin(openid.redirectUri ?? redirectUriOf(c, basePath))
        const place = placeOf(attempt, basePath)
        writeCookie(c, attemptCookie, writeAttempt(attempt), { ...place, maxAgeSeconds: ATTEMPT_SECONDS })
        return seeOther(c, url.href)
      } catch (error) {
        return seeOther(c, `./?${failureQuery(error, c)}`)
      }
    })
    .get('/sign-in/callback', async (c) => {
      const { signIn, openid } = await openIdOf(context)
      try {
        const attempt = readAttempt(readCookie(c.req.header('cookie'), attemptCookie))
        if (attempt === undefined) throw new SignInError('expired', 'No sign-in began in this browser.')
        const place = placeOf(attempt, basePath)
        // It counts once, whatever comes of it.
        clearCookie(c, attemptCookie, place)
        const user = await openid.finish(attempt, new URL(c.req.url).search)
        signIn.end(c.req.header('cookie'))
        const started = signIn.withUser(user)
        setSessionCookie(c, started, place)
        c.var.logger.info({ caller: started.session.callerId }, 'signed in on the page')
        return seeOther(c, '../')
      } catch (error) {
        return seeOther(c, `../?${failureQuery(error, c)}`)
      }
    })
}

/** The provider sends the browser to the redirect URI, so that is where the browser sees this server. */
const placeOf = ({ redirectUri }: SignInAttempt, basePath: string): PagePlace => ({
  secure: redirectUri.startsWith('https:'),
  path: basePath,
})

/** Gives the browser the cookie of its new session. */
export function setSessionCookie(c: Context, { token, session }: StartedSession, place: PagePlace): void {
  // Rounded up: with 0, the browser would drop the cookie at once. The server knows when the session ends.
  const maxAgeSeconds = Math.ceil((session.expiresAt - Date.now()) / 1000)
  writeCookie(c, sessionCookie, token, { ...place, maxAgeSeconds })
}

async function openIdOf({ signIn }: GatewayContext) {
  const openid = await signIn?.openid
  if (signIn !== undefined && openid !== undefined) return { signIn, openid }
  throw new GatewayError('unknown_url', 'This server has no OpenID Connect provider (server.signIn.openid).')
}

/** The page reads it, tells why, and takes it out of its address. */
function failureQuery(error: unknown, c: RequestContext): string {
  if (!(error instanceof SignInError)) throw error
  c.var.logger.warn({ err: error }, 'sign-in failed')
  return new URLSearchParams({ 'sign-in': error.failure }).toString()
}

function seeOther(c: Context, location: string): Response {
  c.header('cache-control', 'no-store')
  return c.redirect(location, 303)
}
