import { type ChatRequest, type ChatFinishReason, chatRequestSchema } from '@petals-chat/api'
import { Hono } from 'hono'
import type { GatewayVariables, RouteModule } from '../../context.ts'
import type { PromptJob } from './answer/answer-job.ts'
import { type AnswerApi, respondWithAnswer } from './answer/respond-with-answer.ts'
import { type ChatDelta, startChat } from './chat/chat-choice-reader.ts'
import { chatFrames } from './chat/chat-frames.ts'
import { collectChat } from './chat/chat-json.ts'
import { type ChatJob, prepareChat } from './chat/prepare-chat.ts'
import { checkChoices } from './request/choices.ts'
import { parseRequest } from './request/parse-request.ts'
import { unsupportedChatParameters } from './request/unsupported.ts'

const chat: AnswerApi<ChatRequest, PromptJob, ChatJob, ChatDelta, ChatFinishReason> = {
  prepare: prepareChat,
  start: startChat,
  collect: collectChat,
  frames: chatFrames,
}

/** `POST /v1/chat/completions`: the next message of a dialogue. */
export const chatCompletionRoutes: RouteModule = (context) =>
  new Hono<{ Variables: GatewayVariables }>().post('/v1/chat/completions', async (c) => {
    const request = await parseRequest(c.req, chatRequestSchema, unsupportedChatParameters)
    checkChoices(1, request.n ?? 1, context.config.maxChoices)
    return respondWithAnswer(c, context, request, chat)
  })
