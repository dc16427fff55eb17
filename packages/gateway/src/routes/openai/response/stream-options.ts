import type { Context } from 'hono'
import type { GatewayConfig } from '../../../config.ts'
import type { AnswerReader } from '../../../answer-reader.ts'
import type { GatewayVariables } from '../../../context.ts'
import { describeAndLogError, openAIErrorBody } from '../../../error-response.ts'
import type { RequestEnv } from '../../../middleware/request-context.ts'
import type { EventStreamOptions } from './event-stream.ts'

export type EventContext = Context<{ Variables: GatewayVariables }>

/** Produces the frames of an answer until it is complete or the signal aborts. `reader`: of an answer that may be resumed. */
export type FrameProducer = (signal: AbortSignal, reader?: AnswerReader) => AsyncGenerator<string>

/** The options that the event streams of all routes share. */
export function streamOptions(
  c: EventContext,
  config: GatewayConfig,
): Pick<EventStreamOptions, 'pingIntervalMs' | 'stallTimeoutMs' | 'disconnect'> {
  return {
    pingIntervalMs: config.ssePingIntervalMs,
    stallTimeoutMs: config.sseStallTimeoutMs,
    disconnect: () => (c.env as RequestEnv['Bindings'] | undefined)?.outgoing?.destroy() !== undefined,
  }
}

/** The event that ends a failed stream. Logs the error, because it reaches no error handler. */
export function errorFrame(error: unknown, variables: GatewayVariables): string {
  const description = describeAndLogError(error, variables, 'stream failed unexpectedly')
  return `data: ${JSON.stringify(openAIErrorBody(description))}\n\n`
}
