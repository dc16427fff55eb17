import { Hono } from 'hono'
import { getPath } from 'hono/utils/url'
import type { GatewayVariables, RouteModule } from '../context.ts'

/** `/chat` → `/chat/` where the server is shown at `/chat`: the page's relative addresses begin at that slash. */
export const basePathRoutes: RouteModule = ({ config: { basePath } }) =>
  new Hono<{ Variables: GatewayVariables }>().use('/', async (c, next) => {
    if (basePath === '/' || c.req.method !== 'GET' || getPath(c.req.raw) !== basePath) return next()
    return c.redirect(`${basePath}/${new URL(c.req.url).search}`, 308)
  })
