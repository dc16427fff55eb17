import { type SessionBody, signInSchema } from '@petals-chat/api'
import { Hono } from 'hono'
import type { Caller } from '../access/caller.ts'
import { clearCookie, sessionCookie } from '../access/sign-in/cookies.ts'
import { pagePlace } from '../access/sign-in/page-place.ts'
import type { PageSession } from '../access/sign-in/page-session-store.ts'
import type { GatewayVariables, RouteModule } from '../context.ts'
import { GatewayError } from '../errors.ts'
import type { RequestContext } from '../middleware/error-handler.ts'
import { isSameOrigin, originOf } from '../request-origin.ts'
import { parseRequest } from '../generation/request/parse-request.ts'
import { setSessionCookie } from './sign-in.ts'

/** `/v1/session`: who is signed in on the page; sign-in with a key; sign-out. */
export const sessionRoutes: RouteModule = ({ config, signIn }) => {
  const respond = (c: RequestContext, user: SessionBody['user']): Response => {
    c.header('cache-control', 'no-store')
    return c.json({
      object: 'session',
      required: signIn !== undefined,
      user,
      ways: signIn?.ways ?? { key: false, openid: null, sign_out: null },
    } satisfies SessionBody)
  }
  return new Hono<{ Variables: GatewayVariables }>()
    .get('/v1/session', (c) => {
      const found = signIn?.find({ header: (name) => c.req.header(name) })
      const { caller } = c.var
      return respond(c, describeUser(caller, found?.caller.id === caller.id ? found.session : undefined))
    })
    .post('/v1/session', async (c) => {
      assertOwnPage(c)
      const { key } = await parseRequest(c.req, signInSchema)
      const caller = signIn?.keyCaller(key, c.var.client)
      if (signIn === undefined || caller === undefined) throw noKeys()
      const started = signIn.withKey(caller)
      signIn.end(c.req.header('cookie'))
      setSessionCookie(c, started, pagePlace(c, config.basePath))
      c.var.logger.info({ caller: caller.id }, 'signed in on the page')
      return respond(c, describeUser(caller, started.session))
    })
    .delete('/v1/session', (c) => {
      assertOwnPage(c)
      signIn?.end(c.req.header('cookie'))
      clearCookie(c, sessionCookie, pagePlace(c, config.basePath))
      return c.body(null, 204)
    })
}

/** A foreign page must not sign its reader out, or in with a key of its own: browsers say with both methods whose page asks. */
function assertOwnPage(c: RequestContext): void {
  if (isSameOrigin(originOf((name) => c.req.header(name)))) return
  throw new GatewayError(
    'forbidden_origin',
    'Only the chat page of this server signs in and out. Programs send their API key with each request, in the header Authorization.',
  )
}

const noKeys = (): GatewayError =>
  new GatewayError('unknown_url', 'This server has no API keys to sign in with.')

function describeUser(
  { id, name, scopes }: Pick<Caller, 'id' | 'name' | 'scopes'>,
  session: PageSession | undefined,
): SessionBody['user'] {
  const via = id.startsWith('key:') ? 'key' : id.startsWith('user:') ? 'openid' : 'proxy'
  if (via === 'proxy' && !id.startsWith('proxy:')) return null
  return {
    id,
    name,
    via,
    scopes: [...scopes],
    expires_at: session ? Math.floor(session.expiresAt / 1000) : null,
  }
}
