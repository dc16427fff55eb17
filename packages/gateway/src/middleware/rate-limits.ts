import type { MiddlewareHandler } from 'hono'
import { matchedRoutes } from 'hono/route'
import type { GatewayContext } from '../context.ts'
import { quotaOf } from '../limits/quota.ts'
import { isLimitedRoute } from '../limits/limited-routes.ts'
import type { RequestEnv } from './request-context.ts'

/**
 * Gives every request the quota of its caller, and every request to a model its allowance; refuses it before its body is read if its caller has used everything, and
 * tells the caller on every response what is left.
 */
export function rateLimits({
  limiter,
  config: { limits },
}: Pick<GatewayContext, 'limiter' | 'config'>): MiddlewareHandler<RequestEnv> {
  return async (c, next) => {
    const quota = quotaOf(c.get('caller'), c.get('account'), limits)
    c.set('quota', quota)
    if (!isLimitedRoute(matchedRoutes(c).map(({ path }) => path))) return next()
    const allowance = await limiter.allowanceOf(quota, c.get('trace'))
    c.set('allowance', allowance)
    try {
      await allowance.countRequest()
    } catch (error) {
      for (const [name, value] of Object.entries(allowance.headers())) c.header(name, value)
      throw error
    }
    await next()
    for (const [name, value] of Object.entries(allowance.headers())) c.res.headers.set(name, value)
  }
}
