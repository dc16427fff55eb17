import { fallbackSchema, modelSourceSchema, modelSpecSchema } from '@petals-chat/engine/model-spec'
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
    message: `'${text.slice(0, 60)}' is not a peer id such as Qm… or 12D3Koo…`,
  })
  return z.NEVER
})

const minutes = (count: number): number => count * 60_000

/** The `swarm:` section of petals-chat.yaml. The only place of its defaults; times are in milliseconds. */
export const swarmConfigSchema = z.strictObject({
  initialPeers: z
    .union([z.literal('public').transform(() => publicInitialPeers), z.array(address).min(1)])
    .prefault('public')
    .describe(
      'Addresses of peers through which to join a private swarm, or public for the swarm of petals.dev. One reachable peer is enough.',
    ),
  privateAddresses: z
    .enum(['auto', 'allow', 'deny'])
    .default('auto')
    .describe(
      'Whether addresses of private networks and of this machine that peers announce are connected to. auto: only if all initial peers have such addresses. The metadata services of clouds are never connected to.',
    ),
  identityPath: z
    .string()
    .min(1)
    .optional()
    .describe(
      "File of this node's identity, in hivemind's format. It is created on first use. Default: a new identity at every start.",
    ),
  cacheDir: z
    .string()
    .min(1)
    .default('~/.cache/petals-chat/swarm')
    .describe(
      'Folder for the 8-bit copies of LM heads, which take one byte for each weight, and for packed vocabularies, which take some megabytes.',
    ),
  allowedServers: z
    .array(peerId)
    .optional()
    .describe('Peer ids of the only servers that are used. Default: all servers of the swarm.'),
  blockedServers: z.array(peerId).default([]).describe('Peer ids of servers that are never used.'),
  /** `update_period` of the reference client. */
  updateIntervalMs: z
    .int()
    .min(1000)
    .default(minutes(1))
    .describe(
      "Milliseconds between lookups of the swarm's servers, which announce themselves every two minutes.",
    ),
  /** `connect_timeout`. */
  connectTimeoutMs: z
    .int()
    .min(100)
    .default(5000)
    .describe(
      'Milliseconds for connecting to a server and opening a session on it. Where connecting to the initial peers took long, servers get twice that time.',
    ),
  /** `request_timeout`. */
  stepTimeoutMs: z
    .int()
    .min(1000)
    .default(minutes(3))
    .describe(
      'Longest deadline of one step, in milliseconds. The deadline of a server depends on its earlier steps and is usually a few seconds.',
    ),
  /** `ping_timeout`. */
  pingTimeoutMs: z.int().min(100).default(2000).describe('Milliseconds for the answer to a ping.'),
  /** `max_pinged`. */
  maxPinged: z
    .int()
    .min(1)
    .default(3)
    .describe(
      'Servers pinged at a time in each of three groups: with the first block, with the last block, and between.',
    ),
  /** `ban_timeout`. */
  banTimeoutMs: z
    .int()
    .min(0)
    .default(15_000)
    .describe(
      'Milliseconds for which a server is not used after a failure. The time doubles with each further failure.',
    ),
  /** The reference client waits forever. */
  waitTimeoutMs: z
    .int()
    .min(0)
    .default(minutes(2))
    .describe(
      'Milliseconds for which an answer waits if no server of some block answers. Then it fails. While it waits, clients are told for which blocks.',
    ),
  maxRetries: z
    .int()
    .min(0)
    .default(10)
    .describe(
      'Errors, wrong responses and broken connections that one step of an answer survives. Slow and unreachable servers do not count: the answer waits for them.',
    ),
  prefillChunkTokens: z
    .int()
    .min(1)
    .max(2048)
    .default(128)
    .describe(
      'Prompt tokens in one request. A server can work on one part of the prompt while the next server works on the part before it.',
    ),
  serverToServer: z
    .enum(['auto', 'always', 'never'])
    .default('auto')
    .describe(
      'Whether servers send their outputs to each other instead of through this client. auto: if measurements show that it is faster.',
    ),
  audit: z
    .enum(['auto', 'off'])
    .default('auto')
    .describe(
      'Spot checks that find servers which compute something else than their blocks. auto: where other servers hold the same blocks, they compute a part of an answer again now and then, which takes at most 2 % of the work. off: none.',
    ),
  speculation: z
    .enum(['auto', 'off'])
    .default('auto')
    .describe(
      'Guess the next tokens of an answer from its prompt, from the answer so far and by the draft model of its entry, if there is one, and let the servers check several in one step. The answer stays the same. auto: where all servers of the route can take tokens back, and measurements show that it is faster. off: never.',
    ),
  standby: z
    .enum(['off', 'auto', 'always'])
    .default('auto')
    .describe(
      'Warm standbys: a second server of the same blocks follows an answer and takes over at once when its server fails or is late. It takes room in the KV caches, and at most an eighth of the time of a server for all answers together. auto: in private swarms, for sessions of 128 tokens or more, on servers with plenty of room. always: also in public swarms and from the first token on. off: none.',
    ),
  /** Servers' `session_timeout` is 30 minutes. */
  sessionLifetimeMs: z
    .int()
    .min(1000)
    .default(minutes(25))
    .describe(
      'Milliseconds after which a server session is replaced by a new one. Servers end every session after 30 minutes.',
    ),
  /** Servers' `step_timeout` is 5 minutes. */
  keepAliveMs: z
    .int()
    .min(1000)
    .default(minutes(4))
    .describe(
      'Milliseconds without use after which an empty step keeps a session alive. Servers end silent sessions after 5 minutes.',
    ),
  idleTimeoutMs: z
    .int()
    .min(1000)
    .default(minutes(15))
    .describe(
      "Milliseconds without use after which the servers' memory is freed. The next use runs the tokens again.",
    ),
  aheadTimeoutMs: z
    .int()
    .min(100)
    .default(minutes(1))
    .describe(
      "Milliseconds for which servers' memory is reserved for a prompt that has not arrived yet. A later prompt opens a new session.",
    ),
  threads: z
    .int()
    .min(1)
    .max(512)
    .optional()
    .describe('Threads of the LM head. Default: the cores that this process may use, at most 4.'),
  showRoute: z
    .boolean()
    .default(true)
    .describe('Log the servers of each session at level info. false: at level debug.'),
})

/** Exported here for callers that need the rule but must not load the engine. */
export { deriveDhtPrefix } from './swarm/dht-prefix.ts'
/** A part of the type of the section. */
export type { PeerId } from './p2p/peer-id.ts'
export type SwarmConfig = Readonly<z.output<typeof swarmConfigSchema>>
/** The section as a user writes it: keys with a default may be left out. */
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
    .regex(/^[^. ]+$/, 'must be a prefix without dots and spaces')
    .optional()
    .describe(
      "Prefix of the model's keys in the swarm's DHT; left out: derived from the source, by Petals' rules.",
    ),
  fallback: fallbackSchema,
  speculation: z
    .strictObject({
      draft: modelSourceSchema
        .optional()
        .describe(
          "A small GGUF model with the same tokenizer, such as the smallest one of the same family: a path or hf:owner/repo/file.gguf. It runs on this machine, by the settings of `llama`, and guesses tokens that the swarm checks, as `swarm.speculation` says. It takes this machine's memory, and makes answers faster where steps of the swarm take several times as long as its own.",
        ),
    })
    .optional()
    .describe('How the next tokens of an answer are guessed, beside what its text itself tells.'),
})

export type PetalsModelSpec = Readonly<z.output<typeof petalsModelSchema>>
/** The entry as a user writes it. */
export type PetalsModelInput = z.input<typeof petalsModelSchema>
