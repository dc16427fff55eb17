import { z } from 'zod'

/**
 * The `swarm:` section of petals-chat.yaml, until the swarm engine brings its own schema: the names are settled, so that
 * files can be written, and `config check` says that the engine is not in this build.
 */
export const swarmConfigSchema = z.strictObject({
  initialPeers: z
    .union([
      z.literal('public'),
      z
        .array(
          z.string().regex(/^\/.+\/p2p\/\w+$/, 'must be a multiaddr such as /ip4/10.1.2.3/tcp/31337/p2p/Qm…'),
        )
        .min(1),
    ])
    .default('public')
    .describe(
      'Peers through which the swarm is joined: addresses of a private swarm, or public for the one of petals.dev.',
    ),
  dtype: z
    .enum(['auto', 'float32', 'bfloat16'])
    .default('auto')
    .describe(
      'Precision of the local part (embeddings and LM head): auto is 16 bit where this CPU computes it well, else 32.',
    ),
})
