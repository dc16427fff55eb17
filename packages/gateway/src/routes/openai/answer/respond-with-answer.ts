import type { ChatRequest } from '@petals-chat/api'
import type { ModelSpec } from '@petals-chat/engine'
import type { GatewayContext } from '../../../context.ts'
import { asksForRoute } from '../../../swarm/swarm-report.ts'
import { callerOf, resolveModel } from '../../resolve-model.ts'
import { checkResumable } from '../request/choices.ts'
import { respondWithEvents } from '../response/respond-with-events.ts'
import type { EventContext } from '../response/stream-options.ts'
import { answerFrames } from './answer-frames.ts'
import type { AnswerJob, AnswerTypes } from './answer-job.ts'
import { collectAnswer } from './collect-answer.ts'
import { runAnswer } from './run-answer.ts'

/** The fields of a request that decide how its answer is sent. */
type AnswerRequest = Pick<ChatRequest, 'model' | 'petals' | 'resumable' | 'stream' | 'stream_options'>

/** Loads the model if necessary, and checks a request against it. */
type Prepare<Request, Types extends AnswerTypes> = (
  context: GatewayContext,
  spec: ModelSpec,
  request: Request,
  signal: AbortSignal,
) => Promise<AnswerJob<Types>>

/** Answers a checked request, as one body or as a stream. */
export async function respondWithAnswer<Request extends AnswerRequest, Types extends AnswerTypes>(
  c: EventContext,
  context: GatewayContext,
  request: Request,
  prepare: Prepare<Request, Types>,
): Promise<Response> {
  checkResumable(request)
  const spec = resolveModel(context, request.model, callerOf(c))
  const { signal, logger, account, allowance } = c.var
  context.sessions.assertRoom(spec.id, { account })
  const wantsRoute = asksForRoute(request.petals, (name) => c.req.header(name))
  const options = { logger, account, allowance, wantsRoute }
  if (!request.stream) {
    const job = await prepare(context, spec, request, signal)
    return c.json(await collectAnswer(job, runAnswer(context, job, options)))
  }
  const resumable = request.resumable ?? false
  const includeUsage = request.stream_options?.include_usage ?? false
  return respondWithEvents(c, context, { resumable }, async function* (signal, reader) {
    const job = await prepare(context, spec, request, signal)
    yield* answerFrames(job, runAnswer(context, job, { ...options, reader }), includeUsage)
  })
}
