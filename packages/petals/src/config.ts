import { modelSpecSchema } from '@petals-chat/engine/model-spec'
import { z } from 'zod'
import { peerIdFromText } from './p2p/peer-id.ts'

/** Bootstrap peers of the public swarm (`petals/constants.py`). */
export const publicInitialPeers: readonly string[] = [
  '/dns/bootstrap1.petals.dev/tcp/31337/p2p/QmedTaZXmULqwspJXz44SsPZyTNKxhnnFvYRajfH7MGhCY',
  '/dns/bootstrap2.petals.dev/tcp/31338/p2p/QmQGTqmM7NKjV6ggU1ZCap8zWiyKR89RViDXiqehSiCpY5',
  '/dns6/bootstrap1.petals.dev/tcp/31337/p2p/QmedTaZXmULqwspJXz44SsPZyTNKxhnnFvYRajfH7MGhCY',
  '/dns6/bootstrap2.petals.dev/tcp/31338/p2p/QmQGTqmM7NKjV6ggU1ZCap8zWiyKR89RViDXiqehSiCpY5',
  '/ip4/159.89.214.152/tcp/31337/p2p/QmedTaZXmULqwspJXz44SsPZyTNKxhnnFvYRajfH7MGhCY',
  '/ip4/159.203.156.48/tcp/31338/p2p/QmQGTqmM7NKjV6ggU1ZCap8zWiyKR89RViDXiqehSiCpY5',
]

/**
 * Reports whether initial peers lead into the public swarm. One public bootstrap peer is enough: a node that knows it
 * shares the public DHT.
 */
export const isPublicSwarm = (initialPeers: readonly string[]): boolean =>
  initialPeers.some((peer) => publicInitialPeers.includes(peer))

const address = z
  .string()
  .regex(
    /^\/(ip4|ip6|dns|dns4|dns6)\/[^/]+\/.+\/p2p\/\w+$|^\/dnsaddr\/[^/]+/,
    'must be a multiaddr such as /ip4/203.0.113.7/tcp/31337/p2p/Qm…',
  )

const peerId = z.string().transform((text, context) => {
  const peer = peerIdFromText(text)
  if (peer) return peer
  context.addIssue({
    code: 'custom',
    message: `'${text.slice(0, 60)}' is no peer id such as Qm… or 12D3Koo…`,
  })
  return z.NEVER
})

const minutes = (count: number): number => count * 60_000

/** The `swarm:` section of petals-chat.yaml. Defaults live here and nowhere else; times are in milliseconds. */
export const swarmConfigSchema = z.strictObject({
  initialPeers: z
    .union([z.literal('public').transform(() => publicInitialPeers), z.array(address).min(1)])
    .prefault('public')
    .describe(
      'Peers to join the swarm by: addresses of a private swarm, or public for the one of petals.dev. One that can be reached is enough.',
    ),
  identityPath: z
    .string()
    .min(1)
    .optional()
    .describe(
      "File that keeps this node's identity, in the format of hivemind; made on first use. Left out: a fresh identity at every start.",
    ),
  cacheDir: z
    .string()
    .min(1)
    .default('~/.cache/petals-chat/swarm')
    .describe('Where 8-bit copies of LM heads are kept, a byte for each weight.'),
  allowedServers: z
    .array(peerId)
    .optional()
    .describe('Peer ids of the only servers that are used. Left out: all of the swarm.'),
  blockedServers: z.array(peerId).default([]).describe('Peer ids of servers that are never used.'),
  /** `update_period` of the reference client. */
  updateIntervalMs: z
    .int()
    .min(1000)
    .default(minutes(1))
    .describe(
      "Milliseconds between looks at the swarm's servers; they announce themselves every two minutes.",
    ),
  /** `connect_timeout`. */
  connectTimeoutMs: z
    .int()
    .min(100)
    .default(5000)
    .describe('Milliseconds for reaching a server and opening a session on it.'),
  /** `request_timeout`. */
  stepTimeoutMs: z
    .int()
    .min(1000)
    .default(minutes(3))
    .describe(
      'Milliseconds that a server may take for one step, at most. Deadlines follow what the server took before, a few seconds usually.',
    ),
  /** `ping_timeout`. */
  pingTimeoutMs: z.int().min(100).default(2000).describe('Milliseconds for the answer to a ping.'),
  /** `max_pinged`. */
  maxPinged: z
    .int()
    .min(1)
    .default(3)
    .describe('Servers that are pinged at a time: of those with the first block, the last one, and between.'),
  /** `ban_timeout`. */
  banTimeoutMs: z
    .int()
    .min(0)
    .default(15_000)
    .describe(
      'Milliseconds that a server is left alone after a failure; doubles each time that it fails again.',
    ),
  /** The reference client goes on for ever. */
  waitTimeoutMs: z
    .int()
    .min(0)
    .default(minutes(2))
    .describe(
      'Milliseconds that an answer waits for servers when none that holds some block answers; then it is given up. What is waited for is told meanwhile.',
    ),
  maxRetries: z
    .int()
    .min(0)
    .default(10)
    .describe(
      'Errors, wrong answers and broken connections that one step of an answer survives. Servers that are slow, or can not be reached, do not count: those are waited for.',
    ),
  prefillChunkTokens: z
    .int()
    .min(1)
    .max(2048)
    .default(128)
    .describe(
      'Prompt tokens of one request: servers work on one part while the next ones have the part before it.',
    ),
  serverToServer: z
    .enum(['auto', 'always', 'never'])
    .default('auto')
    .describe(
      'Whether servers hand outputs on to each other instead of sending them here: auto where it is measured to be faster.',
    ),
  /** Servers' `session_timeout` is 30 minutes. */
  sessionLifetimeMs: z
    .int()
    .min(1000)
    .default(minutes(25))
    .describe(
      'Milliseconds after which a session moves to a new one: servers end every session after 30 minutes.',
    ),
  /** Servers' `step_timeout` is 5 minutes. */
  keepAliveMs: z
    .int()
    .min(1000)
    .default(minutes(4))
    .describe(
      'Milliseconds without use after which a session is kept alive by an empty step: servers end silent ones after 5 minutes.',
    ),
  idleTimeoutMs: z
    .int()
    .min(1000)
    .default(minutes(15))
    .describe(
      "Milliseconds without use after which the servers' memory is given back; the next use runs the tokens again.",
    ),
  aheadTimeoutMs: z
    .int()
    .min(100)
    .default(minutes(1))
    .describe(
      "Milliseconds that servers' memory is held for a prompt that has not come yet; one that comes later opens anew.",
    ),
  threads: z
    .int()
    .min(1)
    .max(512)
    .optional()
    .describe('Threads of the LM head; default the cores that this process may use, at most 4.'),
  showRoute: z
    .boolean()
    .default(true)
    .describe('Log the servers that a session goes through, at info; false: only at debug.'),
})

/** Part of the section's type. */
export type { PeerId } from './p2p/peer-id.ts'
export type SwarmConfig = Readonly<z.output<typeof swarmConfigSchema>>
/** The section as a person writes it: everything with a default may be left out. */
export type SwarmConfigInput = z.input<typeof swarmConfigSchema>

/** An entry of `models:` for this engine. */
export const petalsModelSchema = modelSpecSchema.extend({
  engine: z.literal('petals').describe('petals: the servers of a swarm run the model.'),
  adapter: z
    .string()
    .min(1)
    .optional()
    .describe("LoRA adapter that the swarm's servers have loaded (their --adapters)."),
  dhtPrefix: z
    .string()
    .regex(/^[^. ]+$/, 'must be without dots and spaces')
    .optional()
    .describe(
      "Prefix of the model's keys in the swarm's DHT; left out: derived from the source, by Petals' rules.",
    ),
})

export type PetalsModelSpec = Readonly<z.output<typeof petalsModelSchema>>
/** The entry as a person writes it. */
export type PetalsModelInput = z.input<typeof petalsModelSchema>
