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
import { answerTo, respondWithAnswer, runOptions } from '../../generation/answer/respond-with-answer.ts'
import type { ChatJob, ChatTypes } from '../../generation/chat/chat-choice-reader.ts'
import { prepareChat } from '../../generation/chat/prepare-chat.ts'
import { parseRequest } from '../../generation/request/parse-request.ts'
import { McpSession, type PrepareRound } from './mcp/mcp-session.ts'
import { inResponseNames } from './field-names.ts'
import { readInput } from './input.ts'
import { keptResponseRoutes } from './kept-responses.ts'
import { checkBackground, respondInBackground } from './respond-in-background.ts'
import { responseDialect } from './response-dialect.ts'
import { toChatRequest } from './to-chat-request.ts'
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
      const input = readInput(request, {
        store: responses,
        owner: caller,
        maxBytes: context.config.maxBodyBytes,
      })
      const { previous, own } = input
      const stop = new AbortController()
      const signals = AbortSignal.any([c.var.signal, stop.signal])
      const mcp = await McpSession.begin(request, input, context, {
        signal: signals,
        owner: caller,
        runOptions: runOptions(c, {}),
      })
      const { tools, messages } = mcp
      const chat = toChatRequest(request, messages, tools)
      let prepareRound: PrepareRound
      const prepare = (
        gateway: GatewayContext,
        spec: ModelSpec,
        asked: ChatRequest,
        signal: AbortSignal,
      ): Promise<ChatJob> => {
        const all = AbortSignal.any([signal, stop.signal])
        prepareRound = (round, dialogue) => {
          const answer = (some: RequestMessage[]) =>
            prepareChat(gateway, spec, { ...round, messages: some }, all)
          return inResponseNames(tools, () =>
            request.truncation === 'auto'
              ? prepareShortened(dialogue, request.max_output_tokens, answer)
              : answer(dialogue),
          )
        }
        return prepareRound(asked, messages)
      }
      const dialect = responseDialect({
        request,
        tools,
        asksLater: mcp.asksLater,
        rounds: (job, events) => mcp.rounds(context, [job, events], chat, prepareRound),
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
      return respondInBackground(c, context, request, begin, dialect)
    })
    .route('/', keptResponseRoutes(context))
