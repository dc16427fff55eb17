import type { SwarmModelBody, SwarmServerBody, SwarmStatusBody } from '@petals-chat/api'
import type { SwarmModelStatus, SwarmServerStatus, SwarmStatus } from '@petals-chat/engine'
import { withoutFolders } from '../without-folders.ts'
import type { SwarmSample } from './swarm-history.ts'

/** Returns the samples of a model, oldest first. */
export type HistoryOf = (modelId: string) => readonly SwarmSample[]

/** The swarm as `GET /api/v1/swarm` sends it; `status` is undefined where no engine uses a swarm. */
export function swarmStatusBody(status: SwarmStatus | undefined, historyOf: HistoryOf): SwarmStatusBody {
  return {
    models: (status?.models ?? []).map((model) => modelBody(model, historyOf)),
    problem: status?.problem,
  }
}

function modelBody(model: SwarmModelStatus, historyOf: HistoryOf): SwarmModelBody {
  const now = Date.now()
  return {
    ...model,
    servers: model.servers.map(serverBody),
    problem: model.problem && withoutFolders(model.problem),
    // Ages instead of times: the clocks of readers differ.
    history: historyOf(model.id).map(({ at, ...sample }) => ({ ageMs: now - at, ...sample })),
  }
}

/** JSON has no Infinity. */
const serverBody = (server: SwarmServerStatus): SwarmServerBody => ({
  ...server,
  rttMs: server.rttMs === Infinity ? null : server.rttMs,
})
