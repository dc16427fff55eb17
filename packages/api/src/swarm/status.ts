import { z } from 'zod'
import type { Immutable } from '../immutable.ts'
import { errorSchema } from '../error.ts'
import { json, type Operation, type OperationTag } from '../operation.ts'

export const swarmTag: OperationTag = {
  name: 'Swarm',
  description:
    'The servers that run the blocks of swarm models. `petals.route` of /v1 shows which of them an answer used.',
}

const verdictSchema = z
  .object({
    kind: z
      .enum(['wrong', 'disputed'])
      .describe(
        'wrong: the server computes something else than its blocks, and is not used; disputed: it or another one does, and it is not known which.',
      ),
    against: z.array(z.string()).describe('Peer ids of the servers that compute something else.'),
    difference: z
      .number()
      .describe('How far its outputs are from theirs, as a share of their length; 0: the same.'),
    remainingMs: z.int().describe('For how much longer the verdict holds.'),
  })
  .describe('What spot checks have found against the server.')

const serverSchema = z.object({
  peer: z.string().describe('Peer id, base58.'),
  publicName: z.string().optional(),
  state: z.enum(['offline', 'joining', 'online']),
  version: z.string().optional(),
  start: z.int().describe('First block.'),
  end: z.int().describe('The block after the last one.'),
  throughput: z.number().describe('Tokens per second, as the server measured itself.'),
  inferenceRps: z.number().optional().describe('Tokens per second through one block.'),
  dtype: z.string().optional(),
  quantization: z.string().optional(),
  precision: z
    .string()
    .optional()
    .describe('How it computes, from `dtype` and `quantization`: `F32`, `BF16`, `Q8_0`, `NF4 (BF16)`.'),
  adapters: z.array(z.string()),
  usesRelay: z.boolean().optional(),
  cacheTokensLeft: z
    .int()
    .optional()
    .describe('Free space of its KV cache, in tokens of sessions through all of its blocks.'),
  rttMs: z
    .number()
    .nullable()
    .optional()
    .describe(
      'Smoothed round-trip time from this server; null: the peer does not answer; omitted: not measured.',
    ),
  bannedForMs: z.int().describe('How long the server stays banned after failures; 0: not banned.'),
  verdict: verdictSchema.optional(),
})

const sampleSchema = z.object({
  ageMs: z.int().describe('Milliseconds ago.'),
  servers: z.int().describe('Servers that were online.'),
  leastReplicas: z.int().describe('Servers of the block that had the fewest.'),
})

const joinSchema = z.object({
  blocks: z
    .object({ start: z.int(), end: z.int() })
    .optional()
    .describe('Blocks [start, end) that the command fills; omitted: those that the swarm needs most.'),
  command: z.string().describe('The command, quoted for a shell.'),
})

const modelSchema = z.object({
  id: z.string(),
  dhtPrefix: z.string(),
  blocks: z.int().describe('Transformer blocks; 0: not known.'),
  replicas: z.array(z.int()).describe('For each block, the number of servers that are online and answer.'),
  reachable: z
    .boolean()
    .describe(
      'False: no peer of the swarm could be asked; `problem` says what to check, and nothing is known about blocks.',
    ),
  servable: z.boolean().describe('Every block has such a server.'),
  missingBlocks: z.array(z.int()),
  bottleneck: z
    .object({ block: z.int(), replicas: z.int(), throughput: z.number() })
    .optional()
    .describe('The block with the least throughput, which limits every answer.'),
  servers: z.array(serverSchema),
  initialPeers: z.array(z.string()).describe('Addresses by which a new server joins this swarm.'),
  ageMs: z.int().optional().describe('Age of this information; omitted: there is none yet.'),
  problem: z.string().optional().describe('Why there is no information, or no fresh information.'),
  join: z
    .array(joinSchema)
    .optional()
    .describe(
      'Commands that another machine runs to serve blocks of the model: one for each gap, or one that chooses its blocks.',
    ),
  history: z
    .array(sampleSchema)
    .describe('One sample per minute over the last hour, oldest first, since this server started.'),
})

/** Body of `GET /api/v1/swarm`. */
export const swarmStatusSchema = z.object({
  models: z.array(modelSchema),
  problem: z.string().optional().describe('Why the swarm could not be asked for its models.'),
})

export type SwarmStatusBody = Immutable<z.output<typeof swarmStatusSchema>>
export type SwarmModelBody = SwarmStatusBody['models'][number]
export type SwarmServerBody = SwarmModelBody['servers'][number]
export type SwarmJoinBody = NonNullable<SwarmModelBody['join']>[number]
export type SwarmSampleBody = SwarmModelBody['history'][number]

export const swarmOperations: readonly Operation[] = [
  {
    id: 'swarm',
    scope: 'swarm',
    method: 'get',
    path: '/api/v1/swarm',
    tag: swarmTag.name,
    summary: 'Swarm models, their servers, and whether every block is served',
    description:
      'Loads no model. The information is at most some seconds old; frequent requests cost the swarm nothing.',
    responses: {
      200: {
        description: 'One entry for each swarm model; none where all models run on this machine.',
        content: json(swarmStatusSchema),
      },
    },
    error: errorSchema,
    errorStatuses: [],
  },
]
