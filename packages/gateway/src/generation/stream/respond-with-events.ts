import type { GatewayContext } from '../../context.ts'
import { errorThatCounts } from '../../error-response.ts'
import { linkedAbortController } from '../../linked-abort-controller.ts'
import { eventStream } from './event-stream.ts'
import { respondResumably } from './respond-resumably.ts'
import {
  errorFrame,
  type EventContext,
  type FrameProducer,
  type StreamDialect,
  streamOptions,
} from './stream-options.ts'

export interface RespondOptions {
  /** The client may resume the answer, if the server has space to keep it. */
  readonly resumable: boolean
  readonly dialect: StreamDialect
}

/**
 * Streams the frames that `produce` yields. Its signal aborts when the client disconnects or reads nothing for too long;
 * that of a resumable answer aborts only when no client resumes it in time.
 */
export async function respondWithEvents(
  c: EventContext,
  context: Pick<GatewayContext, 'answers' | 'config'>,
  { resumable, dialect }: RespondOptions,
  produce: FrameProducer,
): Promise<Response> {
  const answer = resumable ? context.answers.open('stream', c.var.caller, c.var.logger) : undefined
  if (answer !== undefined) return respondResumably(c, context, { answer, dialect }, produce)
  const { controller } = linkedAbortController(c.get('signal'))
  const { signal } = controller
  return eventStream(produce(signal), {
    ...streamOptions(c, context.config, dialect),
    errorFrame: (error) => errorFrame(errorThatCounts(error, signal), c.var, dialect),
    abort: (reason) => controller.abort(reason),
  })
}
