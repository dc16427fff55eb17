import { completionRequestSchema } from '@petals-chat/api'
import { Hono } from 'hono'
import type { GatewayVariables, RouteModule } from '../../context.ts'
import { respondWithAnswer } from './answer/respond-with-answer.ts'
import { prepareCompletion } from './completions/prepare-completion.ts'
import { checkBestOf, checkChoices } from './request/choices.ts'
import { promptsOf } from './request/encode-prompts.ts'
import { parseRequest } from './request/parse-request.ts'
import { unsupportedCompletionParameters } from './request/unsupported.ts'

/** `POST /v1/completions`: continues texts, and returns how probable they are. */
export const completionRoutes: RouteModule = (context) =>
  new Hono<{ Variables: GatewayVariables }>().post('/v1/completions', async (c) => {
    const request = await parseRequest(c.req, completionRequestSchema, unsupportedCompletionParameters)
    checkBestOf(request.best_of, request.n ?? 1)
    checkChoices(promptsOf(request.prompt).length, request.n ?? 1, context.config.maxChoices)
    return respondWithAnswer(c, context, request, prepareCompletion)
  })
