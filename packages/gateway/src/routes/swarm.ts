import type { SwarmModelBody, SwarmServerBody, SwarmStatusBody } from '@petals-chat/api'
import type { SwarmModelStatus, SwarmServerStatus } from '@petals-chat/engine'
import { Hono } from 'hono'
import { mayUseModel } from '../access/caller.ts'
import type { GatewayVariables, RouteModule } from '../context.ts'
import type { SwarmSample } from '../swarm/swarm-history.ts'
import { withoutFolders } from '../without-folders.ts'

/** `GET /api/v1/swarm`: the servers behind the models of a swarm, and whether they serve every block. */
export const swarmRoutes: RouteModule = ({ swarm, swarmHistory }) => {
  const app = new Hono<{ Variables: GatewayVariables }>()
  return app.get('/api/v1/swarm', async (c) => {
    // Without an engine that uses a swarm, there is no status.
    const status = await swarm?.status({ signal: c.var.signal })
    return c.json({
      models: (status?.models ?? [])
        .filter(({ id }) => mayUseModel(c.var.caller, id))
        .map((model) => modelBody(model, swarmHistory?.of(model.id) ?? [])),
      problem: status?.problem,
    } satisfies SwarmStatusBody)
  })
}

/** `history`: oldest first. The repository is left out, since any peer can write it: the commands to join have it where it is safe. */
function modelBody(
  { repository: _, ...model }: SwarmModelStatus,
  history: readonly SwarmSample[],
): SwarmModelBody {
  const now = Date.now()
  return {
    ...model,
    servers: model.servers.map(serverBody),
    problem: model.problem && withoutFolders(model.problem),
    // Ages instead of times, because the clocks of clients differ from ours.
    history: history.map(({ at, ...sample }) => ({ ageMs: now - at, ...sample })),
  }
}

/** JSON has no Infinity. */
const serverBody = ({ verdict, ...server }: SwarmServerStatus): SwarmServerBody => ({
  ...server,
  verdict: verdict && { ...verdict, against: [...verdict.against] },
  rttMs: server.rttMs === Infinity ? null : server.rttMs,
})
