import { Hono } from 'hono'
import type { GatewayVariables, RouteModule } from '../context.ts'

/** `GET /api/v1/swarm`: the servers behind the models that a swarm answers, and whether they cover all blocks. */
export const swarmRoutes: RouteModule = ({ swarm }) => {
  const app = new Hono<{ Variables: GatewayVariables }>()
  return app.get('/api/v1/swarm', async (c) => {
    const status = await swarm?.status({ signal: c.var.signal })
    c.header('cache-control', 'no-store')
    return c.json(status ?? { models: [] })
  })
}
