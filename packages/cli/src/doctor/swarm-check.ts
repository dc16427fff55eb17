import { silentLogger, silentMetrics, type SwarmModelStatus } from '@petals-chat/engine'
import { createEngines } from '../engines.ts'
import { failure, ok, warning, type Check, type CheckResult } from './check.ts'

/** Checks that the swarm can be joined and has servers for all blocks. Runs only if a model belongs to a swarm. */
export const swarmCheck: Check = {
  name: 'Swarm',
  async run(context) {
    if (!context.config.models.some(({ engine }) => engine === 'petals'))
      return ok('not used: no model is one of a swarm')
    await using engines = await createEngines({ ...context, logger: silentLogger, metrics: silentMetrics })
    return describeSwarm((await engines.petals!.swarm.status()).models)
  },
}

const advice = 'petals-chat swarm status shows the servers, and the commands that fill the gaps'

export function describeSwarm(models: readonly SwarmModelStatus[]): CheckResult {
  const unreachable = [
    ...new Set(models.flatMap(({ reachable, problem = '' }) => (reachable ? [] : [problem]))),
  ]
  if (unreachable.length > 0) return failure("the swarm can't be reached", unreachable.join('\n'))
  const problems = models.flatMap(({ id, problem }) => (problem === undefined ? [] : [`${id}: ${problem}`]))
  if (problems.length > 0) return failure('the status of a model is not available', problems.join('\n'))
  const incomplete = models.filter(({ servable }) => !servable).map(({ id }) => id)
  if (incomplete.length > 0)
    return warning(`${incomplete.join(', ')} ${incomplete.length === 1 ? 'lacks' : 'lack'} blocks`, advice)
  return ok(`every block of ${models.map(({ id }) => id).join(', ')} has a server`)
}
