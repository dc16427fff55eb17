import { z } from 'zod'
import { bareHost } from './server/host-address.ts'

export { hostUrl, isLoopbackHost } from './server/host-address.ts'

const MIB = 1024 * 1024

/**
 * `*`, or an origin as browsers send it: scheme, host and port without a path (also of apps and extensions), or `null`.
 * `*` within one stands for any part of the host, or any port.
 */
const originSchema = z
  .string()
  .regex(
    /^(\*|null|[a-z][a-z0-9+.-]*:\/\/[^/?#\s]+)$/,
    'must be "*" or an origin such as https://chat.example.org, vscode-webview://* or http://localhost:*',
  )

/** `/`, or a path whose parts need no escaping. What the APIs are called would be cut off their own paths. */
const basePathSchema = z
  .string()
  .regex(
    /^\/$|^(?!\/(v1|api)(\/|$))(\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$/,
    'must be "/" or a path such as /chat, without a slash at its end; /v1 and /api are taken',
  )

/** Timers of Node can't wait longer, about 25 days: they would fire at once. */
const MAX_MS = 2 ** 31 - 1
const milliseconds = (min: 0 | 1) => z.int().min(min).max(MAX_MS)

const corsSchema = z.strictObject({
  legacy: z
    .array(originSchema)
    .default([])
    .describe(
      'Origins whose pages may use /api/v1 and /api/v2. The original let every page in: `["*"]` does the same. ' +
        'Closed by default, because any page that a person visits could otherwise use the models of this machine. ' +
        '`*` in an origin stands for any part of the host, or any port: `https://*.example.org`, `http://localhost:*`, `vscode-webview://*`.',
    ),
  all: z
    .array(originSchema)
    .default([])
    .describe('Origins whose pages may use every API, /v1 included. Closed by default for the same reason.'),
})

const sessionsSchema = z.strictObject({
  maxPerModel: z
    .int()
    .min(1)
    .default(256)
    .describe(
      'Answers that one model writes at the same time, where its engine names no lower bound of its own.',
    ),
  queueLength: z
    .int()
    .min(0)
    .default(64)
    .describe(
      'Requests that may wait for one model. More are refused with 429 at once: waiting longer helps nobody.',
    ),
  queueTimeoutMs: milliseconds(1)
    .default(120_000)
    .describe(
      'Milliseconds that a request waits at most. Longer than a usual answer on a slow machine takes.',
    ),
  idleTimeoutMs: milliseconds(0)
    .default(300_000)
    .describe(
      'Milliseconds that the KV cache of a finished answer is kept for the next turn of its dialogue. ' +
        'Five minutes: as long as the original kept a session whose user was thinking.',
    ),
  minLength: z
    .int()
    .min(1)
    .default(512)
    .describe(
      'Tokens that a session is opened for at least, so that the next turn still fits: the first size of the original page.',
    ),
})

const answersSchema = z.strictObject({
  maxKept: z
    .int()
    .min(0)
    .default(256)
    .describe(
      'Resumable answers and sessions that are kept, running and finished ones together. Above it the oldest finished ' +
        'one is dropped; while all of them run, further answers are not resumable. 0: none is.',
    ),
  maxKeptBytes: z
    .int()
    .min(1024)
    .default(64 * MIB)
    .describe(
      'Bytes of what is kept of all resumable answers together. An answer of 1,000 tokens takes about 250 kB. Above it ' +
        'the oldest finished ones are dropped, then the beginnings of running ones.',
    ),
  unreadTimeoutMs: milliseconds(0)
    .default(60_000)
    .describe(
      'Milliseconds that a resumable answer goes on while nobody reads it: long enough to change networks or reload ' +
        'a page. Then the engine is stopped.',
    ),
  keepMs: milliseconds(0)
    .default(300_000)
    .describe('Milliseconds that a finished resumable answer can still be read. 0: not at all.'),
})

/** The `server:` section of petals-chat.yaml. Defaults live here and nowhere else. */
export const gatewayConfigSchema = z.strictObject({
  host: z
    .string()
    .min(1)
    .overwrite(bareHost)
    .default('127.0.0.1')
    .describe(
      'Address to listen on. Loopback unless told otherwise: nobody else on the network can use the models.',
    ),
  port: z.int().min(0).max(65535).default(5000).describe("TCP port: the original's. 0 takes any free one."),
  allowPublic: z
    .boolean()
    .default(false)
    .describe(
      'Allow a host other than loopback. Everybody who reaches it can use the models, so this has to be said.',
    ),
  trustedHosts: z
    .array(
      z.string().regex(/^[^\s/?#@]+$/, 'must be a name such as chat.example.org, without https:// and path'),
    )
    .default([])
    .describe(
      'Names under which clients reach this server, for example chat.example.org behind a proxy; `"*"` accepts any. ' +
        'Loopback names, IP addresses, `host`, the name of this machine (alone or with .local) and host.docker.internal ' +
        'always work. Others are refused: a foreign page could point its own name at this machine (DNS rebinding).',
    ),
  basePath: basePathSchema
    .default('/')
    .describe(
      'Path under which a proxy shows this server, for example /chat. Requests are answered with and without it, so the ' +
        'proxy may cut it off or leave it. X-Forwarded-Prefix is not heeded: any client can send it.',
    ),
  cors: corsSchema.prefault({}),
  maxBodyBytes: z
    .int()
    .min(1024)
    .default(4 * MIB)
    .describe(
      'Bytes of one request body or WebSocket message. A prompt of 128k tokens is about half a megabyte.',
    ),
  webSocketPingIntervalMs: milliseconds(1)
    .default(25_000)
    .describe(
      "Milliseconds between pings on WebSockets: the original's. A peer that misses one is disconnected.",
    ),
  ssePingIntervalMs: milliseconds(1)
    .default(15_000)
    .describe(
      'Milliseconds between comment lines on silent event streams: half of the shortest usual proxy timeout, 30 s.',
    ),
  sseStallTimeoutMs: milliseconds(1)
    .default(60_000)
    .describe(
      'Milliseconds that the reader of an event stream may take nothing, while its answer holds a session.',
    ),
  keepAliveTimeoutMs: milliseconds(1)
    .default(75_000)
    .describe(
      'Milliseconds that a connection without a request stays open. Longer than clients and load balancers keep theirs ' +
        '(60 s), or they would send a request on a connection that is just being closed.',
    ),
  unknownModel: z
    .enum(['auto', 'refuse', 'default'])
    .default('auto')
    .describe(
      'What a request gets whose model this server does not have: `auto` takes the only model where one is served, for ' +
        'clients that insist on a name of their own, and refuses where there are several; `refuse` always refuses; ' +
        '`default` takes the first model. Answers name the model that wrote them.',
    ),
  maxChoices: z
    .int()
    .min(1)
    .default(128)
    .describe("Answers that one request of /v1 may ask for, over all of its prompts: OpenAI's bound of `n`."),
  stepTimeoutMs: milliseconds(1)
    .default(300_000)
    .describe(
      "Milliseconds that an open inference session of /api/v2 waits for its client's next message: the original's.",
    ),
  drainTimeoutMs: milliseconds(0)
    .default(30_000)
    .describe(
      'Milliseconds that running answers get to finish after SIGTERM: what Kubernetes allows before SIGKILL.',
    ),
  sessions: sessionsSchema.prefault({}),
  answers: answersSchema.prefault({}),
})

export type GatewayConfig = Readonly<z.output<typeof gatewayConfigSchema>>
export type SessionPoolConfig = GatewayConfig['sessions']
