import type { ChatRequest } from '@petals-chat/api'
import type { ModelSpec } from '@petals-chat/engine'
import type { AnswerReader } from '../../answer-reader.ts'
import type { GatewayContext } from '../../context.ts'
import { asksForRoute } from '../../swarm/swarm-report.ts'
import { callerOf, resolveModel } from '../request/resolve-model.ts'
import { checkResumable } from '../request/choices.ts'
import { respondWithEvents } from '../stream/respond-with-events.ts'
import type { EventContext, StreamDialect } from '../stream/stream-options.ts'
import type { AnswerEvent, AnswerJob, AnswerTypes } from './answer-job.ts'
import { beginAnswer } from './begin-answer.ts'

/** The fields of a request that decide how its answer is sent. */
type AnswerRequest = Pick<ChatRequest, 'model' | 'petals' | 'resumable' | 'stream' | 'stream_options'>

/** Loads the model if necessary, and checks a request against it. */
type Prepare<Request, Job> = (
  context: GatewayContext,
  spec: ModelSpec,
  request: Request,
  signal: AbortSignal,
) => Promise<Job>

/** How an API writes an answer. */
export interface AnswerDialect<Job, Types extends AnswerTypes> {
  /** The answer as one body. */
  body(job: Job, events: AsyncIterable<AnswerEvent<Types>>): Promise<object>
  /** The answer as the frames of an event stream. */
  frames(job: Job, events: AsyncIterable<AnswerEvent<Types>>): AsyncGenerator<string>
  readonly stream: StreamDialect
}

/** Answers a checked request, as one body or as a stream. */
export async function respondWithAnswer<
  Request extends AnswerRequest,
  Types extends AnswerTypes,
  Job extends AnswerJob<Types> = AnswerJob<Types>,
>(
  c: EventContext,
  context: GatewayContext,
  request: Request,
  prepare: Prepare<Request, Job>,
  dialect: AnswerDialect<Job, Types>,
): Promise<Response> {
  checkResumable(request)
  const spec = resolveModel(context, request.model, callerOf(c))
  const { signal, logger, account, allowance } = c.var
  context.sessions.assertRoom(spec.id, { account })
  const wantsRoute = asksForRoute(request.petals, (name) => c.req.header(name))
  const options = { logger, account, allowance, wantsRoute, via: c.req.header('via') }
  const caller = callerOf(c)
  const begin = (signal: AbortSignal, reader?: AnswerReader) =>
    beginAnswer<Types, Job>(context, {
      spec,
      prepare: (spec) => prepare(context, spec, request, signal),
      fallback: (id) => resolveModel(context, id, caller),
      options: { ...options, reader },
    })
  if (!request.stream) {
    const { job, events } = await begin(signal)
    return c.json(await dialect.body(job, events))
  }
  const resumable = request.resumable ?? false
  return respondWithEvents(
    c,
    context,
    { resumable, dialect: dialect.stream },
    async function* (signal, reader) {
      const { job, events } = await begin(signal, reader)
      yield* dialect.frames(job, events)
    },
  )
}
