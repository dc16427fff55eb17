import type { SwarmModelStatus } from '@petals-chat/engine'
import { Hono } from 'hono'
import type { GatewayVariables, RouteModule } from '../context.ts'
import type { SwarmHistory } from '../swarm/swarm-history.ts'
import { withoutFolders } from '../without-folders.ts'

/** `GET /api/v1/swarm`: the servers behind the models that a swarm answers, and whether they cover all blocks. */
export const swarmRoutes: RouteModule = ({ swarm, swarmHistory }) => {
  const app = new Hono<{ Variables: GatewayVariables }>()
  return app.get('/api/v1/swarm', async (c) => {
    const status = await swarm?.status({ signal: c.var.signal })
    c.header('cache-control', 'no-store')
    return c.json({
      models: (status?.models ?? []).map((model) => withHistory(model, swarmHistory)),
      problem: status?.problem,
    })
  })
}

/** Ages instead of times: the clocks of readers differ. */
function withHistory(model: SwarmModelStatus, history: SwarmHistory | undefined): object {
  const now = Date.now()
  const samples = history?.of(model.id) ?? []
  const problem = model.problem && withoutFolders(model.problem)
  return { ...model, problem, history: samples.map(({ at, ...sample }) => ({ ageMs: now - at, ...sample })) }
}
