import type { Context } from 'hono'
import type { GatewayConfig } from '../../../config.ts'
import type { GatewayVariables } from '../../../context.ts'
import { describeError, openAIErrorBody } from '../../../error-response.ts'
import { eventStream } from './event-stream.ts'

type RequestContext = Context<{ Variables: GatewayVariables }>

/**
 * Streams the frames that `produce` makes. Its signal aborts when the client goes, or takes nothing for too long.
 * Errors of a stream that has begun are logged here: they reach no error handler.
 */
export function respondWithEvents(
  c: RequestContext,
  config: Pick<GatewayConfig, 'ssePingIntervalMs' | 'sseStallTimeoutMs'>,
  produce: (signal: AbortSignal) => AsyncGenerator<string>,
): Promise<Response> {
  const reader = new AbortController()
  const signal = AbortSignal.any([c.var.signal, reader.signal])
  return eventStream(produce(signal), {
    pingIntervalMs: config.ssePingIntervalMs,
    stallTimeoutMs: config.sseStallTimeoutMs,
    errorFrame: (error) => errorFrame(signal.aborted ? signal.reason : error, c.var),
    abort: (reason) => reader.abort(reason),
  })
}

function errorFrame(error: unknown, { requestId, logger }: GatewayVariables): string {
  const description = describeError(error, requestId)
  if (!description.expected) logger.error({ err: error }, 'stream failed unexpectedly')
  else if (description.status >= 500) logger.warn({ err: error }, description.message)
  return `data: ${JSON.stringify(openAIErrorBody(description))}\n\n`
}
