import type { ChatRequest } from '@petals-chat/api'
import type { ModelSpec } from '@petals-chat/engine'
import type { GatewayContext } from '../../../context.ts'
import { asksForRoute } from '../../../swarm/route-request.ts'
import { callerOf, resolveModel } from '../../resolve-model.ts'
import { checkResumable } from '../request/choices.ts'
import { respondWithEvents } from '../response/respond-with-events.ts'
import type { EventContext } from '../response/stream-options.ts'
import type { AnswerJob, PromptJob } from './answer-job.ts'
import { type AnswerEvent, runAnswer, type StartPrompt } from './run-answer.ts'

/** The fields of a request that decide how its answer is sent. */
type AnswerRequest = Pick<ChatRequest, 'model' | 'petals' | 'resumable' | 'stream' | 'stream_options'>

/** What differs between the APIs of chat completions and completions. */
export interface AnswerApi<
  Request extends AnswerRequest,
  Prompt extends PromptJob,
  Job extends AnswerJob<Prompt>,
  Delta,
  FinishReason,
> {
  /** Loads the model if necessary, and checks the request against it. */
  prepare(context: GatewayContext, spec: ModelSpec, request: Request, signal: AbortSignal): Promise<Job>
  /** Returns the readers of the job's choices. */
  start(job: Job): StartPrompt<Prompt, Delta, FinishReason>
  /** The answer as one body. */
  collect(job: Job, events: AsyncIterable<AnswerEvent<Delta, FinishReason>>): Promise<object>
  /** The answer as the frames of an event stream. */
  frames(
    job: Job,
    events: AsyncIterable<AnswerEvent<Delta, FinishReason>>,
    includeUsage: boolean,
  ): AsyncGenerator<string, void, undefined>
}

/** Answers a checked request, as one body or as a stream. */
export async function respondWithAnswer<
  Request extends AnswerRequest,
  Prompt extends PromptJob,
  Job extends AnswerJob<Prompt>,
  Delta,
  FinishReason,
>(
  c: EventContext,
  context: GatewayContext,
  request: Request,
  api: AnswerApi<Request, Prompt, Job, Delta, FinishReason>,
): Promise<Response> {
  checkResumable(request)
  const spec = resolveModel(context, request.model, callerOf(c.req))
  const { signal, logger } = c.var
  const options = { logger, wantsRoute: asksForRoute(request.petals, (name) => c.req.header(name)) }
  const run = (job: Job) => runAnswer(context, job, api.start(job), options)
  if (!request.stream) {
    const job = await api.prepare(context, spec, request, signal)
    return c.json(await api.collect(job, run(job)))
  }
  const resumable = request.resumable ?? false
  const includeUsage = request.stream_options?.include_usage ?? false
  return respondWithEvents(c, context, { resumable }, async function* (signal) {
    const job = await api.prepare(context, spec, request, signal)
    yield* api.frames(job, run(job), includeUsage)
  })
}
