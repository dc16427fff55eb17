import { chatRequestSchema } from '@petals-chat/api'
import { Hono } from 'hono'
import type { GatewayVariables, RouteModule } from '../../context.ts'
import { respondWithAnswer } from './answer/respond-with-answer.ts'
import { prepareChat } from './chat/prepare-chat.ts'
import { checkChoices } from './request/choices.ts'
import { parseRequest } from './request/parse-request.ts'
import { unsupportedChatParameters } from './request/unsupported.ts'

/** `POST /v1/chat/completions`: the next message of a dialogue. */
export const chatCompletionRoutes: RouteModule = (context) =>
  new Hono<{ Variables: GatewayVariables }>().post('/v1/chat/completions', async (c) => {
    const request = await parseRequest(c.req, chatRequestSchema, unsupportedChatParameters)
    checkChoices(1, request.n ?? 1, context.config.maxChoices)
    return respondWithAnswer(c, context, request, prepareChat)
  })
