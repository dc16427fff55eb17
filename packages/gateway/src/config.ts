import { z } from 'zod'
import { isProxyNetwork } from './client-address.ts'
import { signInSchema } from './access/sign-in/config.ts'
import { bareHost, isListenHost, listenHostAdvice } from './host-address.ts'
import { limitsSchema } from './limits/limits-config.ts'
import { tracingSchema } from './tracing/tracing-config.ts'

export { asksForKeys, mayAskForCredentials, openBindProblem } from './access/open-bind.ts'
export { hostUrl, isLoopbackHost } from './host-address.ts'

const MIB = 1024 * 1024

/**
 * `*`, or an origin as browsers send it: scheme, host and port without a path (also of apps and extensions), or `null`.
 * A `*` inside an origin matches any part of the host, or any port.
 */
const originSchema = z
  .string()
  .regex(
    /^(\*|null|[a-z][a-z0-9+.-]*:\/\/[^/?#\s]+)$/,
    'must be "*" or an origin such as https://chat.example.org, vscode-webview://* or http://localhost:*',
  )

/** `/`, or a path whose parts need no escaping. /v1 and /api are refused: they would be removed from the APIs' own paths. */
const basePathSchema = z
  .string()
  .regex(
    /^\/$|^(?!\/(v1|api)(\/|$))(\/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+$/,
    'must be "/" or a path such as /chat, without a final slash; /v1 and /api are reserved',
  )

/** The longest delay of Node's timers, about 25 days. With a longer one they would fire at once. */
const MAX_MS = 2 ** 31 - 1
const milliseconds = (min: 0 | 1) => z.int().min(min).max(MAX_MS)

const corsSchema = z.strictObject({
  legacy: z
    .array(originSchema)
    .default([])
    .describe(
      'Origins whose pages may use /api/v1 and /api/v2. The original allowed every page, as `["*"]` does. ' +
        'Empty by default, because any page that a person visits could otherwise use the models of this machine. ' +
        '`*` in an origin matches any part of the host, or any port: `https://*.example.org`, `http://localhost:*`, `vscode-webview://*`.',
    ),
  all: z
    .array(originSchema)
    .default([])
    .describe('Origins whose pages may use every API, including /v1. Empty by default for the same reason.'),
})

const sessionsSchema = z.strictObject({
  maxPerModel: z
    .int()
    .min(1)
    .default(256)
    .describe('Answers that one model generates at the same time, unless its engine has a lower limit.'),
  queueLength: z
    .int()
    .min(0)
    .default(64)
    .describe(
      'Requests that may wait for one model. Further ones are refused with 429 at once, because they would wait too long.',
    ),
  queueTimeoutMs: milliseconds(1)
    .default(120_000)
    .describe(
      'The longest time in milliseconds that a request waits: longer than a usual answer takes on a slow machine.',
    ),
  idleTimeoutMs: milliseconds(0)
    .default(300_000)
    .describe(
      'Milliseconds that the KV cache of a finished answer is kept for the next turn of its dialogue. ' +
        'Five minutes: as long as the original kept a session without messages.',
    ),
  maxIdleBytes: z
    .int()
    .min(0)
    .default(512 * MIB)
    .describe(
      'Bytes of memory that the kept sessions of one model may take here. Those of swarm models take much: what their servers ' +
        'would be sent again, for Llama 2 70B about 16 kB for each token and each server of the route. Above this number the ' +
        'longest idle ones are closed.',
    ),
  unreadGraceMs: milliseconds(0)
    .default(5_000)
    .describe(
      'Milliseconds that a resumable answer without a reader keeps its session while other requests wait for one: ' +
        'long enough to reload a page. Without requests that wait, `server.answers.unreadTimeoutMs` counts.',
    ),
  shareCaches: z
    .boolean()
    .default(false)
    .describe(
      'Whether clients without a key share the KV caches of finished answers. Prompts with the same beginning then start ' +
        'faster, but a client can find out by the time what another one has sent. Keys and signed-in people never share.',
    ),
  minLength: z
    .int()
    .min(1)
    .default(512)
    .describe(
      'The least number of tokens that a session is opened for, so that the next turn fits: the first size of the original page.',
    ),
})

const answersSchema = z.strictObject({
  maxKept: z
    .int()
    .min(0)
    .default(256)
    .describe(
      'Resumable answers and sessions that are kept, running and finished ones together. Above this number the oldest ' +
        'finished one is dropped; while all of them run, further answers are not resumable. 0: no answer is resumable.',
    ),
  maxKeptBytes: z
    .int()
    .min(1024)
    .default(64 * MIB)
    .describe(
      'Bytes of all resumable answers that are kept. An answer of 1,000 tokens takes about 250 kB. Above this number ' +
        'the oldest finished ones are dropped, then the beginnings of running ones.',
    ),
  unreadTimeoutMs: milliseconds(0)
    .default(60_000)
    .describe(
      'Milliseconds that a resumable answer continues without a reader: long enough to change networks or reload ' +
        'a page. Then the engine is stopped.',
    ),
  keepMs: milliseconds(0)
    .default(300_000)
    .describe('Milliseconds that a finished resumable answer can still be read. 0: it is dropped at once.'),
})

const responsesSchema = z.strictObject({
  maxKept: z
    .int()
    .min(0)
    .default(1_000)
    .describe(
      'Responses of /v1/responses that are kept in memory, so that `previous_response_id` finds them. Above this number, and ' +
        'above maxKeptBytes, the caller that keeps the most loses its oldest one; while only answers that still run could go, ' +
        'a new one in the background gets 429. 0: none is kept.',
    ),
  maxKeptBytes: z
    .int()
    .min(1024)
    .default(64 * MIB)
    .describe('Bytes of all responses that are kept, with their inputs.'),
  keepMs: milliseconds(0).default(3_600_000).describe('Milliseconds that a response is kept after its end.'),
})

const accessSchema = z.strictObject({
  keys: z
    .enum(['auto', 'required', 'off'])
    .default('auto')
    .describe(
      'Whether clients need an API key. `auto`: on a host other than loopback, and as soon as `petals-chat keys create` has ' +
        'made one before the start. `required`: always, for example behind a proxy. `off`: never; then a host other than ' +
        'loopback needs another kind of sign-in, or insecurePublic.',
    ),
  file: z
    .string()
    .min(1)
    .default('~/.local/share/petals-chat/access.sqlite')
    .describe(
      'SQLite file of the API keys, as hashes, and of their usage. A relative path starts at the folder of this ' +
        'configuration file. Several servers of one machine may share it.',
    ),
  wrongKeysPerMinute: z
    .int()
    .min(1)
    .default(60)
    .describe(
      'Wrong keys that one client address may send in a minute before it gets 429. A right key is always accepted.',
    ),
  maxMadeKeys: z
    .int()
    .min(1)
    .default(1_000)
    .describe(
      'Valid keys that keys with the scope `admin` may have made, for each key of the operator from which they come. Of ' +
        'those that were revoked or have expired, as many are remembered. `petals-chat keys create` has no bound.',
    ),
})

/** The `server:` section of petals-chat.yaml, with its defaults. */
export const gatewayConfigSchema = z.strictObject({
  host: z
    .string()
    .min(1)
    .overwrite(bareHost)
    .refine(isListenHost, { error: ({ input }) => listenHostAdvice(String(input)) })
    .default('127.0.0.1')
    .describe(
      'Address to listen on. Loopback by default, so that no other machine on the network can use the models.',
    ),
  port: z
    .int()
    .min(0)
    .max(65535)
    .default(5000)
    .describe("TCP port: the original's. 0 selects any free port."),
  insecurePublic: z
    .boolean()
    .default(false)
    .describe(
      'Let every client that reaches a host other than loopback use the models, without a key. Without it, such a server ' +
        'asks for keys.',
    ),
  access: accessSchema.prefault({}),
  trustedHosts: z
    .array(
      z.string().regex(/^[^\s/?#@]+$/, 'must be a name such as chat.example.org, without https:// and path'),
    )
    .default([])
    .describe(
      'Names under which clients reach this server, for example chat.example.org behind a proxy; `"*"` accepts any. ' +
        'Loopback names, IP addresses, `host`, the name of this machine (alone or with .local) and host.docker.internal ' +
        'always work. Others are refused, because a foreign page could point its own name at this machine (DNS rebinding).',
    ),
  trustedProxies: z
    .array(
      z
        .string()
        .refine(isProxyNetwork, 'must be an IP address, a network such as 10.0.0.0/8, loopback, or private'),
    )
    .default([])
    .describe(
      'Addresses of the proxies whose X-Forwarded-For and X-Forwarded-Proto are believed: IP addresses, networks in CIDR ' +
        'notation, `loopback`, or `private` (loopback and the private networks of IPv4 and IPv6). Limits and fair queues ' +
        'without keys go by the address of the client, which is otherwise that of the proxy. Empty by default, because any ' +
        'client can send these headers.',
    ),
  basePath: basePathSchema
    .default('/')
    .describe(
      'Path under which a proxy publishes this server, for example /chat. Requests are served with and without it, so the ' +
        'proxy may remove it or keep it. X-Forwarded-Prefix is ignored, because any client can send it.',
    ),
  signIn: signInSchema.prefault({}).describe('How people sign in on the page.'),
  cors: corsSchema.prefault({}),
  maxBodyBytes: z
    .int()
    .min(1024)
    .default(4 * MIB)
    .describe(
      'Greatest size in bytes of a request body or WebSocket message. A prompt of 128k tokens is about half a megabyte.',
    ),
  maxBufferedBytes: z
    .int()
    .min(1024)
    .default(64 * MIB)
    .describe(
      'Bytes of request bodies and WebSocket messages that this server holds at the same time, of all clients together: ' +
        'sixteen of the greatest ones. Further ones are refused with 429.',
    ),
  webSocketPingIntervalMs: milliseconds(1)
    .default(25_000)
    .describe(
      "Milliseconds between pings on WebSockets: the original's. A client that misses one is disconnected.",
    ),
  maxConnectionsPerClient: z
    .int()
    .min(1)
    .default(1_024)
    .describe(
      'Connections that one client address may have open; behind a proxy of trustedProxies, requests that run at the same ' +
        'time. A browser opens six. Further ones are refused with 429. Clients on this machine have no limit.',
    ),
  maxWebSocketsPerClient: z
    .int()
    .min(1)
    .default(256)
    .describe(
      'WebSockets that one key, signed-in person or client address may have open: a page opens one for each chat that is ' +
        'being answered. Further ones are refused with 429. Clients on this machine without a key have no limit.',
    ),
  ssePingIntervalMs: milliseconds(1)
    .default(15_000)
    .describe(
      'Milliseconds between comment lines on silent event streams: half of the shortest usual proxy timeout, 30 s.',
    ),
  sseStallTimeoutMs: milliseconds(1)
    .default(60_000)
    .describe(
      'Milliseconds that the reader of an event stream may read nothing, while its answer holds a session.',
    ),
  keepAliveTimeoutMs: milliseconds(1)
    .default(75_000)
    .describe(
      'Milliseconds that a connection without a request stays open. Longer than clients and load balancers keep theirs ' +
        '(60 s), because they would otherwise send requests on a connection that the server is closing.',
    ),
  unknownModel: z
    .enum(['auto', 'refuse', 'default'])
    .default('auto')
    .describe(
      'How a request for an unknown model is answered. `auto`: if only one model is served, by that model, because some ' +
        'clients always send a name of their own; otherwise with an error. `refuse`: always with an error. `default`: by the ' +
        'first model. Answers name the model that generated them.',
    ),
  maxChoices: z
    .int()
    .min(1)
    .default(128)
    .describe("Answers that one request of /v1 may ask for, over all of its prompts: OpenAI's limit of `n`."),
  maxRequestTokens: z
    .int()
    .min(1)
    .default(300_000)
    .describe(
      'Tokens that one request of /v1 may take, its prompts and the greatest lengths of all its answers together: ' +
        "OpenAI's limit for embeddings. One answer that fills the model's context is always allowed.",
    ),
  stepTimeoutMs: milliseconds(1)
    .default(300_000)
    .describe(
      "Milliseconds that an open inference session of /api/v2 waits for its client's next message: the original's.",
    ),
  lameDuckMs: milliseconds(0)
    .default(0)
    .describe(
      'Milliseconds after SIGTERM in which `/ready` responds with 503 while everything else goes on, so that a load balancer ' +
        'notices it before connections are refused: longer than the interval of its checks. They are a part of ' +
        '`drainTimeoutMs`. 0: no load balancer asks.',
    ),
  drainTimeoutMs: milliseconds(0)
    .default(30_000)
    .describe(
      'Milliseconds that running answers have to finish after SIGTERM: what Kubernetes allows before SIGKILL.',
    ),
  limits: limitsSchema.prefault({}),
  tracing: tracingSchema
    .optional()
    .describe('Traces for OpenTelemetry, without any text of prompts and answers. Off by default.'),
  sessions: sessionsSchema.prefault({}),
  answers: answersSchema.prefault({}),
  responses: responsesSchema.prefault({}),
})

export type GatewayConfig = Readonly<z.output<typeof gatewayConfigSchema>>
export type SessionPoolConfig = GatewayConfig['sessions']
