import { completionRequestSchema } from '@petals-chat/api'
import { Hono } from 'hono'
import type { GatewayVariables, RouteModule } from '../../context.ts'
import { completionFrames } from './completions/completion-frames.ts'
import { collectCompletion } from './completions/completion-json.ts'
import { prepareCompletion, promptsOf } from './completions/prepare-completion.ts'
import { runCompletion } from './completions/run-completion.ts'
import { checkBestOf, checkChoices, checkResumable } from './request/choices.ts'
import { callerOf, resolveModel } from '../resolve-model.ts'
import { asksForRoute } from '../../swarm/route-request.ts'
import { parseRequest } from './request/parse-request.ts'
import { unsupportedCompletionParameters } from './request/unsupported.ts'
import { respondWithEvents } from './response/respond-with-events.ts'

/** `POST /v1/completions`: how texts go on, and how probable they are. */
export const completionRoutes: RouteModule = (context) =>
  new Hono<{ Variables: GatewayVariables }>().post('/v1/completions', async (c) => {
    const request = await parseRequest(c.req, completionRequestSchema, unsupportedCompletionParameters)
    checkBestOf(request.best_of, request.n ?? 1)
    checkChoices(promptsOf(request.prompt).length, request.n ?? 1, context.config.maxChoices)
    checkResumable(request)
    const spec = resolveModel(context, request.model, callerOf(c.req))
    const { signal, logger } = c.var
    const options = { logger, wantsRoute: asksForRoute(request.petals, (name) => c.req.header(name)) }
    if (!request.stream) {
      const job = await prepareCompletion(context, spec, request, signal)
      return c.json(await collectCompletion(job, runCompletion(context, job, options)))
    }
    const resumable = request.resumable ?? false
    return respondWithEvents(c, context, { resumable }, async function* (signal) {
      const job = await prepareCompletion(context, spec, request, signal)
      yield* completionFrames(
        job,
        runCompletion(context, job, options),
        request.stream_options?.include_usage ?? false,
      )
    })
  })
