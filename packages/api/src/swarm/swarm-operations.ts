import { errorSchema } from '../openai/error.ts'
import { swarmStatusSchema } from './status.ts'
import type { Operation, OperationTag } from '../operation.ts'

export const swarmTag: OperationTag = {
  name: 'Swarm',
  description:
    'The servers that run the blocks of swarm models. Which of them an answer took: `petals.route` of /v1.',
}

export const swarmOperations: readonly Operation[] = [
  {
    id: 'swarm',
    method: 'get',
    path: '/api/v1/swarm',
    tag: swarmTag.name,
    summary: 'Swarm models, their servers, and whether all blocks are held',
    description: 'Loads no model. News are at most some seconds old; looking often costs the swarm nothing.',
    responses: {
      200: {
        description: 'One entry for each swarm model; none where all models run on this machine.',
        content: { 'application/json': swarmStatusSchema },
      },
    },
    error: errorSchema,
    errorStatuses: [],
  },
]
