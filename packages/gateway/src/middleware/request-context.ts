import { randomUUID } from 'node:crypto'
import type { HttpBindings } from '@hono/node-server'
import type { Context, MiddlewareHandler } from 'hono'
import type { GatewayContext, GatewayVariables } from '../context.ts'
import { ClientGoneError } from '../errors.ts'
import { linkedAbortController } from '../linked-abort-controller.ts'
import { isAnthropicRequest } from '../request-path.ts'

/** The types of a request for the middleware. `app.request()` has no bindings. */
export interface RequestEnv {
  readonly Variables: GatewayVariables
  readonly Bindings: Partial<HttpBindings>
}

/** Client-controlled: only ids that are safe in a header, a log line and a file name. */
const SAFE_REQUEST_ID = /^[\w.:-]{1,128}$/

/** Returns the client's own request id if it is safe, or a new one. */
export function chooseRequestId(fromClient: string | undefined): string {
  return fromClient !== undefined && SAFE_REQUEST_ID.test(fromClient) ? fromClient : randomUUID()
}

/** Gives every request its id, its logger, its client's address and its signal, and every response `x-request-id`. */
export function requestContext({
  logger,
  shutdown,
  readClient,
}: Pick<GatewayContext, 'logger' | 'shutdown' | 'readClient'>): MiddlewareHandler<RequestEnv> {
  return async (c, next) => {
    const requestId = chooseRequestId(c.req.header('x-request-id'))
    c.set('requestId', requestId)
    c.set('logger', logger.child({ requestId }))
    c.set(
      'client',
      readClient({
        remoteAddress: c.env?.incoming?.socket.remoteAddress,
        forwardedFor: c.req.header('x-forwarded-for'),
        forwardedProto: c.req.header('x-forwarded-proto'),
      }),
    )
    c.set('signal', requestSignal(c, shutdown.signal))
    await next()
    c.res.headers.set('x-request-id', requestId)
    // Anthropic's clients look for it under this name.
    if (isAnthropicRequest(c.req.path, (name) => c.req.header(name)))
      c.res.headers.set('request-id', requestId)
    // Kept-alive connections would delay the shutdown.
    if (shutdown.draining) c.res.headers.set('connection', 'close')
  }
}

/**
 * The server adapter would abort with a string as its reason, and code that throws a reason needs an error; so where there is a
 * connection, that is asked itself.
 */
function requestSignal(c: Context<RequestEnv>, shutdown: AbortSignal): AbortSignal {
  const { controller, unlink } = linkedAbortController(shutdown)
  const abort = () => controller.abort(new ClientGoneError())
  const { incoming, outgoing } = c.env ?? {}
  if (incoming === undefined || outgoing === undefined) whenAborted(c.req.raw.signal, abort)
  else
    outgoing.once('close', () => {
      unlink()
      if (incoming.errored || !outgoing.writableFinished) abort()
    })
  return controller.signal
}

function whenAborted(signal: AbortSignal, abort: () => void): void {
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
}
