import { silentLogger, silentMetrics, type SwarmModelStatus } from '@petals-chat/engine'
import { createEngines } from '../engines.ts'
import { failure, ok, warning } from './check.ts'
import type { Check, CheckResult } from './check.ts'

/** Whether the swarm can be joined, and has servers for all blocks. Asked only where a model is of a swarm. */
export const swarmCheck: Check = {
  name: 'Swarm',
  async run(context) {
    if (!context.config.models.some(({ engine }) => engine === 'petals'))
      return ok('not used: all models run on this machine')
    await using engines = await createEngines({ ...context, logger: silentLogger, metrics: silentMetrics })
    return describeSwarm((await engines.petals!.swarm.status()).models)
  },
}

const advice = 'petals-chat swarm status shows the servers, and what to run to fill the gap'

export function describeSwarm(models: readonly SwarmModelStatus[]): CheckResult {
  const unreachable = [
    ...new Set(models.flatMap(({ reachable, problem = '' }) => (reachable ? [] : [problem]))),
  ]
  if (unreachable.length > 0) return failure("the swarm can't be reached", unreachable.join('\n'))
  const problems = models.flatMap(({ id, problem }) => (problem === undefined ? [] : [`${id}: ${problem}`]))
  if (problems.length > 0) return failure('the swarm gives no news of a model', problems.join('\n'))
  const silent = models.filter(({ servable }) => !servable).map(({ id }) => id)
  if (silent.length > 0) return warning(`blocks are missing of ${silent.join(', ')}`, advice)
  return ok(`every block of ${models.map(({ id }) => id).join(', ')} has a server`)
}
