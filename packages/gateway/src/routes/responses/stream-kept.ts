import type { KeptResponse } from '../../answers/kept-response.ts'
import type { GatewayConfig } from '../../config.ts'
import { openAIErrorBody } from '../../error-response.ts'
import { eventStream } from '../../generation/stream/event-stream.ts'
import {
  errorFrame,
  type EventContext,
  type StreamDialect,
  streamOptions,
} from '../../generation/stream/stream-options.ts'
import { errorEvent, eventFrame } from './response-dialect.ts'

/** What is said beside the events of the response. */
const dialect: StreamDialect = {
  pingFrame: ': ping\n\n',
  errorFrame: (description) => eventFrame(errorEvent(openAIErrorBody(description))),
}

/**
 * Streams the events of a response in the background, those after the one with the sequence number `after`, and new ones as
 * they come. Its client may go: the answer does not. @throws AnswerGoneError if the first of them is no longer kept
 */
export function streamKept(
  c: EventContext,
  config: GatewayConfig,
  response: KeptResponse,
  after = -1,
): Promise<Response> {
  const reader = new AbortController()
  const signal = AbortSignal.any([reader.signal, c.var.caller.signal])
  return eventStream(framesOf(response, after, signal), {
    ...streamOptions(c, config, dialect),
    firstFrameWaitMs: 0,
    errorFrame: (error) => errorFrame(error, c.var, dialect),
    abort: (reason) => reader.abort(reason),
  })
}

async function* framesOf(response: KeptResponse, after: number, signal: AbortSignal): AsyncGenerator<string> {
  for await (const { text } of response.events(after, signal)) yield text
}
