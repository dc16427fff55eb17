import type { Context, MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { Access } from '../access/access.ts'
import { accountOf, type Caller } from '../access/caller.ts'
import { routeScope } from '../access/route-scope.ts'
import { linkedAbortController } from '../linked-abort-controller.ts'
import type { RequestEnv } from './request-context.ts'

/**
 * Identifies who sends a request, and refuses it if the caller may not call its route. When the caller's access ends, the
 * request's signal aborts.
 */
export function callerAccess(access: Access): MiddlewareHandler<RequestEnv> {
  return async (c, next) => {
    const scope = routeScope(matchedRoutes(c).map(({ path }) => path))
    const client = c.get('client')
    const remoteAddress = c.env?.incoming?.socket.remoteAddress
    const caller = access.authorize({ header: (name) => c.req.header(name), client, remoteAddress }, scope)
    c.set('caller', caller)
    c.set('account', accountOf(caller, client))
    if (access.isRequired) c.set('signal', signalWith(c, caller))
    await next()
  }
}

function signalWith(c: Context<RequestEnv>, caller: Caller): AbortSignal {
  const { controller, unlink } = linkedAbortController(c.get('signal'), caller.signal)
  c.env?.outgoing?.once('close', unlink)
  return controller.signal
}
