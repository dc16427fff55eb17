import { setTimeout as sleep } from 'node:timers/promises'
import { type AbortOptions, CapacityError, GenerationFailedError, type Logger } from '@petals-chat/engine'
import type { UpstreamModelSpec } from '../config.ts'
import { Failure } from '../http/failure.ts'
import type { ServerPool } from '../servers/server-pool.ts'
import type { UpstreamServer } from '../servers/server.ts'

export interface TriesOptions extends AbortOptions {
  readonly spec: Pick<UpstreamModelSpec, 'retries'>
  /** Name of the model at the servers. */
  readonly name: string
  readonly pool: ServerPool
  readonly logger: Logger
}

/** The first pause between two attempts at the same server; doubles with each further one. */
const FIRST_PAUSE_MS = 250
/** A server that wants to be left alone for longer is not waited for: its wish goes to the client. */
const LONGEST_PAUSE_MS = 3_000

/**
 * Asks one server after another until one begins to answer, and yields what it answers. What fails later is not tried
 * again: the caller has seen its beginning.
 * @throws the error of the last Failure; GenerationFailedError after the first part; the signal's reason
 */
export async function* tryServers<Part>(
  ask: (server: UpstreamServer) => AsyncIterable<Part>,
  options: TriesOptions,
): AsyncGenerator<Part, void, undefined> {
  const { spec, name, pool, signal } = options
  const tried = new Set<UpstreamServer>()
  for (let count = 0; ; count++) {
    const server = pool.choose(name, tried)
    let hasBegun = false
    try {
      using _use = server.use()
      for await (const part of ask(server)) {
        if (!hasBegun) pool.note(server, undefined)
        hasBegun = true
        yield part
      }
      return
    } catch (error) {
      signal?.throwIfAborted()
      const failure = judge(error, server, hasBegun, options)
      tried.add(server)
      if (failure.retry === 'nowhere' || count >= spec.retries) throw failure.error
      await pause(failure, tried, count, options)
    }
  }
}

/** What follows from a failed attempt. What the caller has seen can't be taken back. */
function judge(
  error: unknown,
  server: UpstreamServer,
  hasBegun: boolean,
  { pool, logger }: TriesOptions,
): Failure {
  if (!(error instanceof Failure)) throw error
  if (error.serverProblem !== undefined) pool.note(server, error.serverProblem)
  logger.debug({ server: server.name, err: error.error }, 'a server of the model failed')
  if (!hasBegun) return error
  return new Failure(new GenerationFailedError(error.error.message, { cause: error.error }), {
    retry: 'nowhere',
  })
}

/** Another server can answer at once; the same one needs a moment. @throws the failure's error if that is too long */
async function pause(
  failure: Failure,
  tried: ReadonlySet<UpstreamServer>,
  count: number,
  { pool, logger, signal }: TriesOptions,
): Promise<void> {
  const isOther = pool.servers.some((server) => !tried.has(server) && server.problem === undefined)
  const pauseMs = isOther ? 0 : (failure.retryAfterMs ?? FIRST_PAUSE_MS * 2 ** count)
  const isVain = !isOther && failure.retry === 'elsewhere'
  const isDown = pool.isDown && !(failure.error instanceof CapacityError) && count > 0
  if (pauseMs > LONGEST_PAUSE_MS || isDown || isVain) throw failure.error
  logger.warn(
    { err: failure.error },
    'a request to another server failed before its answer began: trying again',
  )
  await sleep(pauseMs, undefined, signal && { signal }).catch(() => signal?.throwIfAborted())
}
