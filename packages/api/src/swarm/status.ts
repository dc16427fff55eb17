import { z } from 'zod'

const serverSchema = z.object({
  peer: z.string().describe('Peer id, base58.'),
  publicName: z.string().optional(),
  state: z.enum(['offline', 'joining', 'online']),
  version: z.string().optional(),
  start: z.int().describe('First block.'),
  end: z.int().describe('Block after the last one.'),
  throughput: z.number().describe('Tokens a second, as the server measured itself.'),
  inferenceRps: z.number().optional().describe('Tokens a second through one block.'),
  dtype: z.string().optional(),
  quantization: z.string().optional(),
  adapters: z.array(z.string()),
  usesRelay: z.boolean().optional(),
  cacheTokensLeft: z
    .int()
    .optional()
    .describe('Room of its KV cache, in tokens of sessions through all its blocks.'),
  rttMs: z
    .number()
    .nullable()
    .optional()
    .describe('Smoothed round trip from here; null: it does not answer; left out: not measured.'),
  bannedForMs: z.int().describe('Left alone after failures for so long; 0: it is not.'),
})

const sampleSchema = z.object({
  ageMs: z.int().describe('How long ago, in milliseconds.'),
  servers: z.int().describe('Servers that were online.'),
  leastReplicas: z.int().describe('Of them, those for the block that had the fewest.'),
})

const joinSchema = z.object({
  blocks: z
    .object({ start: z.int(), end: z.int() })
    .optional()
    .describe('Blocks [start, end) that it fills; left out: those that the swarm needs most.'),
  command: z.string().describe('The command, quoted for a shell.'),
})

const modelSchema = z.object({
  id: z.string(),
  dhtPrefix: z.string(),
  blocks: z.int().describe('Transformer blocks; 0: not known.'),
  replicas: z.array(z.int()).describe('For each block, the servers that are online and answer.'),
  reachable: z
    .boolean()
    .describe(
      'False: no peer of the swarm could be asked; `problem` says what to check, and nothing is known of blocks.',
    ),
  servable: z.boolean().describe('Every block has such a server.'),
  missingBlocks: z.array(z.int()),
  bottleneck: z
    .object({ block: z.int(), replicas: z.int(), throughput: z.number() })
    .optional()
    .describe('The block with the least throughput: what bounds everybody.'),
  servers: z.array(serverSchema),
  initialPeers: z.array(z.string()).describe('Addresses by which a new server joins this swarm.'),
  ageMs: z.int().optional().describe('Age of the news; left out: there are none yet.'),
  problem: z.string().optional().describe('Why there are no news, or no fresh ones.'),
  join: z
    .array(joinSchema)
    .optional()
    .describe('What another machine runs to hold blocks of the model: for each gap, or one that chooses.'),
  history: z
    .array(sampleSchema)
    .describe('A look a minute over the last hour, oldest first, as long as this server has been running.'),
})

/** Answer of `GET /api/v1/swarm`: `SwarmStatus` as JSON, with its last hour. */
export const swarmStatusSchema = z.object({
  models: z.array(modelSchema),
  problem: z.string().optional().describe('Why the swarm could not be asked for its models.'),
})
