import { Hono } from 'hono'
import type { GatewayVariables, RouteModule } from '../context.ts'
import { swarmStatusBody } from '../swarm/status-body.ts'

/** `GET /api/v1/swarm`: the servers behind the models of a swarm, and whether they serve every block. */
export const swarmRoutes: RouteModule = ({ swarm, swarmHistory }) => {
  const app = new Hono<{ Variables: GatewayVariables }>()
  return app.get('/api/v1/swarm', async (c) => {
    const status = await swarm?.status({ signal: c.var.signal })
    c.header('cache-control', 'no-store')
    return c.json(swarmStatusBody(status, (modelId) => swarmHistory?.of(modelId) ?? []))
  })
}
