import type { ChatRequest } from '@petals-chat/api'
import type { ModelSpec } from '@petals-chat/engine'
import type { AnswerReader } from '../../answer-reader.ts'
import type { GatewayContext } from '../../context.ts'
import { asksForRoute } from '../../swarm/swarm-report.ts'
import { callerOf, resolveExactModel, resolveModel } from '../request/resolve-model.ts'
import { checkResumable } from '../request/choices.ts'
import { respondWithEvents } from '../stream/respond-with-events.ts'
import type { EventContext, StreamDialect } from '../stream/stream-options.ts'
import type { AnswerEvent, AnswerJob, AnswerTypes } from './answer-job.ts'
import {
  beginAnswer,
  type BeginningAnswer,
  type BeginningWait,
  type BeginOptions,
  type BegunAnswer,
} from './begin-answer.ts'
import type { RunOptions } from './run-options.ts'

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
  /** The frames that tell of a wait before the answer has begun. */
  waiting(wait: BeginningWait<Job>): Iterable<string>
  readonly stream: StreamDialect
  /** `body` drops the events, and asks for the answer later: they need not be whole. */
  readonly asksLater?: boolean
}

/** Whose answers to a request run, and what is told of them. */
export function runOptions(c: EventContext, { petals }: Pick<AnswerRequest, 'petals'>): RunOptions {
  const [logger, account, allowance] = [c.get('logger'), c.get('account'), c.get('allowance')]
  const wantsRoute = asksForRoute(petals, (name) => c.req.header(name))
  return { logger, account, allowance, wantsRoute, via: c.req.header('via') }
}

/** Begins the answer to a request. The signal stops it; `reader`: of an answer that may be resumed. */
export type BeginAnswer<Types extends AnswerTypes, Job> = (
  signal: AbortSignal,
  how?: Pick<BeginOptions<Job>, 'isWhole'> & { readonly reader?: AnswerReader | undefined },
) => BeginningAnswer<Types, Job>

/** Returns an answer when it has begun, for a client that is not told of its waits. */
export async function begun<Types extends AnswerTypes, Job>(
  beginning: BeginningAnswer<Types, Job>,
): Promise<BegunAnswer<Types, Job>> {
  while (true) {
    const step = await beginning.next()
    if (step.done) return step.value
  }
}

/** Yields the frames of the waits until an answer has begun, and returns it. */
async function* framesUntilBegun<Types extends AnswerTypes, Job>(
  beginning: BeginningAnswer<Types, Job>,
  dialect: Pick<AnswerDialect<Job, Types>, 'waiting'>,
): AsyncGenerator<string, BegunAnswer<Types, Job>, undefined> {
  try {
    while (true) {
      const step = await beginning.next()
      if (step.done) return step.value
      yield* dialect.waiting(step.value)
    }
  } finally {
    // Its reader has gone. If the answer has begun, this does nothing.
    await beginning.return(undefined as never)
  }
}

/**
 * Chooses the model of a checked request, and returns how its answer begins.
 * @throws if its caller may not use the model, or there is no room for another request and no fallback
 */
export function answerTo<
  Request extends AnswerRequest,
  Types extends AnswerTypes,
  Job extends AnswerJob<Types> = AnswerJob<Types>,
>(
  c: EventContext,
  context: GatewayContext,
  request: Request,
  prepare: Prepare<Request, Job>,
): BeginAnswer<Types, Job> {
  const caller = callerOf(c)
  const spec = resolveModel(context, request.model, caller)
  const options = runOptions(c, request)
  if (spec.fallback === undefined) context.sessions.assertRoom(spec.id, options)
  return (signal, { reader, isWhole } = {}) =>
    beginAnswer<Types, Job>(context, {
      spec,
      prepare: (spec) => prepare(context, spec, request, signal),
      fallback: (id) => resolveExactModel(context, id, caller),
      isWhole,
      options: { ...options, reader },
    })
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
  const begin = answerTo<Request, Types, Job>(c, context, request, prepare)
  if (!request.stream) {
    const { job, events } = await begun(begin(c.get('signal'), { isWhole: !dialect.asksLater }))
    return c.json(await dialect.body(job, events))
  }
  const resumable = request.resumable ?? false
  return respondWithEvents(
    c,
    context,
    { resumable, dialect: dialect.stream },
    async function* (signal, reader) {
      const { job, events } = yield* framesUntilBegun(begin(signal, { reader }), dialect)
      yield* dialect.frames(job, events)
    },
  )
}
