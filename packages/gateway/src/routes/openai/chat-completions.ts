import { chatRequestSchema } from '@petals-chat/api'
import { Hono } from 'hono'
import type { GatewayVariables, RouteModule } from '../../context.ts'
import { collectChat } from './chat/chat-json.ts'
import { chatFrames } from './chat/chat-frames.ts'
import { prepareChat } from './chat/prepare-chat.ts'
import { runChat } from './chat/run-chat.ts'
import { checkChoices, checkResumable } from './request/choices.ts'
import { callerOf, resolveModel } from '../resolve-model.ts'
import { asksForRoute } from '../../swarm/route-request.ts'
import { parseRequest } from './request/parse-request.ts'
import { unsupportedChatParameters } from './request/unsupported.ts'
import { respondWithEvents } from './response/respond-with-events.ts'

/** `POST /v1/chat/completions`: the next message of a dialogue. */
export const chatCompletionRoutes: RouteModule = (context) =>
  new Hono<{ Variables: GatewayVariables }>().post('/v1/chat/completions', async (c) => {
    const request = await parseRequest(c.req, chatRequestSchema, unsupportedChatParameters)
    checkChoices(1, request.n ?? 1, context.config.maxChoices)
    checkResumable(request)
    const spec = resolveModel(context, request.model, callerOf(c.req))
    const { signal, logger } = c.var
    const options = { logger, wantsRoute: asksForRoute(request.petals, (name) => c.req.header(name)) }
    if (!request.stream) {
      const job = await prepareChat(context, spec, request, signal)
      return c.json(await collectChat(job, runChat(context, job, options)))
    }
    const resumable = request.resumable ?? false
    return respondWithEvents(c, context, { resumable }, async function* (signal) {
      const job = await prepareChat(context, spec, request, signal)
      yield* chatFrames(job, runChat(context, job, options), request.stream_options?.include_usage ?? false)
    })
  })
