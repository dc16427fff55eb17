import type { Context } from 'hono'
import type { GatewayConfig } from '../../config.ts'
import type { AnswerReader } from '../../answer-reader.ts'
import type { GatewayVariables } from '../../context.ts'
import { describeAndLogError, type ErrorDescription } from '../../error-response.ts'
import type { RequestEnv } from '../../middleware/request-context.ts'
import type { EventStreamOptions } from './event-stream.ts'

export type EventContext = Context<{ Variables: GatewayVariables }>

/** Produces the frames of an answer until it is complete or the signal aborts. `reader`: of an answer that may be resumed. */
export type FrameProducer = (signal: AbortSignal, reader?: AnswerReader) => AsyncGenerator<string>

/** What the streams of an API say beside the answer. */
export interface StreamDialect {
  /** Default: server-sent events. */
  readonly contentType?: string
  /** Sent in silence; a function makes a new one each time. */
  readonly pingFrame: string | (() => string)
  /** The event that ends a failed stream. */
  readonly errorFrame: (description: ErrorDescription, requestId: string) => string
}

/** The options that the event streams of all routes share. */
export function streamOptions(
  c: EventContext,
  config: GatewayConfig,
  { contentType, pingFrame }: StreamDialect,
): Pick<
  EventStreamOptions,
  'contentType' | 'pingIntervalMs' | 'pingFrame' | 'stallTimeoutMs' | 'disconnect'
> {
  return {
    contentType,
    pingIntervalMs: config.ssePingIntervalMs,
    pingFrame,
    stallTimeoutMs: config.sseStallTimeoutMs,
    disconnect: () => (c.env as RequestEnv['Bindings'] | undefined)?.outgoing?.destroy() !== undefined,
  }
}

/** The event that ends a failed stream. Logs the error, because it reaches no error handler. */
export function errorFrame(error: unknown, variables: GatewayVariables, dialect: StreamDialect): string {
  const description = describeAndLogError(error, variables, 'stream failed unexpectedly')
  return dialect.errorFrame(description, variables.requestId)
}
