/**
 * OpenAI's Responses API in front of the models of this server. A request becomes a chat request, whose events are written
 * as those of a response.
 *
 * @packageDocumentation
 */
import { type ChatRequest, type RequestMessage, responseRequestSchema } from '@petals-chat/api'
import type { ModelSpec } from '@petals-chat/engine'
import { Hono } from 'hono'
import type { GatewayContext, GatewayVariables, RouteModule } from '../../context.ts'
import { answerTo, respondWithAnswer } from '../../generation/answer/respond-with-answer.ts'
import type { ChatJob, ChatTypes } from '../../generation/chat/chat-choice-reader.ts'
import { prepareChat } from '../../generation/chat/prepare-chat.ts'
import { parseRequest } from '../../generation/request/parse-request.ts'
import { inResponseNames } from './field-names.ts'
import { readInput } from './input.ts'
import { keptResponseRoutes } from './kept-responses.ts'
import { checkBackground, respondInBackground } from './respond-in-background.ts'
import { responseDialect } from './response-dialect.ts'
import { toChatRequest } from './to-chat-request.ts'
import { toMessages } from './to-messages.ts'
import { ToolTable } from './tool-table.ts'
import { prepareShortened } from './truncate.ts'
import { unsupportedResponseParameters } from './unsupported.ts'

/** `POST /v1/responses`, and what is kept of it below `/v1/responses/{id}`. */
export const responsesRoutes: RouteModule = (context) =>
  new Hono<{ Variables: GatewayVariables }>()
    .post('/v1/responses', async (c) => {
      const request = await parseRequest(c.req, responseRequestSchema, unsupportedResponseParameters)
      checkBackground(request, context.config)
      const { responses } = context
      const { caller } = c.var
      const tools = new ToolTable(request.tools ?? [])
      const { previous, own, all } = readInput(request, {
        store: responses,
        owner: caller,
        maxBytes: context.config.maxBodyBytes,
      })
      const messages = toMessages(request.instructions, all, tools)
      const stop = new AbortController()
      const chat = toChatRequest(request, messages, tools)
      const prepare = (
        gateway: GatewayContext,
        spec: ModelSpec,
        asked: ChatRequest,
        signal: AbortSignal,
      ): Promise<ChatJob> => {
        const signals = AbortSignal.any([signal, stop.signal])
        const answer = (some: RequestMessage[]) =>
          prepareChat(gateway, spec, { ...asked, messages: some }, signals)
        return inResponseNames(tools, () =>
          request.truncation === 'auto'
            ? prepareShortened(messages, request.max_output_tokens, answer)
            : answer(messages),
        )
      }
      const dialect = responseDialect({
        request,
        tools,
        keep: (body) =>
          request.store === false
            ? undefined
            : responses.open({
                id: body.id,
                owner: caller,
                previous,
                input: own,
                body,
                isBackground: request.background ?? false,
                stop: (reason) => stop.abort(reason),
              }),
        forget: (kept) => responses.remove(kept),
      })
      if (!request.background)
        return respondWithAnswer<ChatRequest, ChatTypes, ChatJob>(c, context, chat, prepare, dialect)
      const begin = answerTo<ChatRequest, ChatTypes, ChatJob>(c, context, chat, prepare)
      return respondInBackground(c, context, begin, dialect)
    })
    .route('/', keptResponseRoutes(context))
