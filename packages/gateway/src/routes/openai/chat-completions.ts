import { chatRequestSchema } from '@petals-chat/api'
import { Hono } from 'hono'
import type { GatewayVariables, RouteModule } from '../../context.ts'
import { respondWithAnswer } from '../../generation/answer/respond-with-answer.ts'
import { prepareChat } from '../../generation/chat/prepare-chat.ts'
import { checkChoices } from '../../generation/request/choices.ts'
import { parseRequest } from '../../generation/request/parse-request.ts'
import { passedChatParameters, passedOn } from './passed.ts'
import { unsupportedChatParameters } from './unsupported.ts'
import { chatForm } from './chat/chat-form.ts'
import { openAIDialect } from './response/openai-dialect.ts'

/** `POST /v1/chat/completions`: the next message of a dialogue. */
export const chatCompletionRoutes: RouteModule = (context) =>
  new Hono<{ Variables: GatewayVariables }>().post('/v1/chat/completions', async (c) => {
    const passOn = passedOn(context, c, passedChatParameters)
    const request = await parseRequest(c.req, chatRequestSchema, unsupportedChatParameters, passOn)
    checkChoices(1, request.n ?? 1, context.config.maxChoices)
    return respondWithAnswer(c, context, request, prepareChat, openAIDialect(request, chatForm))
  })
