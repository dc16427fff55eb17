import type { MiddlewareHandler } from 'hono'
import { routePath } from 'hono/route'
import type { GatewayContext } from '../context.ts'
import { isApiPath } from '../request-path.ts'
import type { RequestEnv } from './request-context.ts'
import { onResponseEnd } from './request-log.ts'

/** Traces the requests to the APIs, if the gateway traces. */
export function requestTrace({ tracing }: Pick<GatewayContext, 'tracing'>): MiddlewareHandler<RequestEnv> {
  return async (c, next) => {
    if (tracing === undefined || !isApiPath(c.req.path)) return next()
    const trace = tracing.startRequest({
      method: c.req.method,
      route: routePath(c, -1),
      traceparent: c.req.header('traceparent'),
      requestId: c.var.requestId,
    })
    c.set('trace', trace)
    await next()
    onResponseEnd(c, () => trace.end(c.res.status))
  }
}
