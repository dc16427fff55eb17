/**
 * Anthropic's Messages API in front of the models of this server. A request becomes a chat request, whose events are
 * written in Anthropic's form.
 *
 * @packageDocumentation
 */
import { countTokensRequestSchema, messageRequestSchema, type TokenCountBody } from '@petals-chat/api'
import { isRemoteModel } from '@petals-chat/engine'
import { Hono } from 'hono'
import type { GatewayVariables, RouteModule } from '../../context.ts'
import { respondWithAnswer } from '../../generation/answer/respond-with-answer.ts'
import type { ChatJob, ChatTypes } from '../../generation/chat/chat-choice-reader.ts'
import { prepareChat } from '../../generation/chat/prepare-chat.ts'
import { chatInput } from '../../generation/remote/chat-fields.ts'
import { answerForm } from '../../generation/request/answer-form.ts'
import { chatPrompt } from '../../generation/request/chat-prompt.ts'
import { parseRequest } from '../../generation/request/parse-request.ts'
import { callerOf, resolveModel } from '../../generation/request/resolve-model.ts'
import { messageDialect } from './message-dialect.ts'
import { toChatRequest } from './to-chat-request.ts'
import { unsupportedMessageParameters } from './unsupported.ts'
import { inAnthropicNames } from './field-names.ts'

/** `POST /v1/messages` and `POST /v1/messages/count_tokens`. */
export const anthropicRoutes: RouteModule = (context) =>
  new Hono<{ Variables: GatewayVariables }>()
    .post('/v1/messages', async (c) => {
      const request = await parseRequest(c.req, messageRequestSchema, unsupportedMessageParameters)
      return respondWithAnswer<ReturnType<typeof toChatRequest>, ChatTypes, ChatJob>(
        c,
        context,
        toChatRequest(request),
        (...args) => inAnthropicNames(() => prepareChat(...args)),
        messageDialect(request),
      )
    })
    .post('/v1/messages/count_tokens', async (c) => {
      const request = await parseRequest(c.req, countTokensRequestSchema, unsupportedMessageParameters)
      const spec = resolveModel(context, request.model, callerOf(c))
      const model = await context.registry.load(spec.id, { signal: c.var.signal })
      const chat = toChatRequest(request)
      if (isRemoteModel(model)) {
        const { count } = await model.tokenize(chatInput(chat), { signal: c.var.signal })
        return c.json({ input_tokens: count } satisfies TokenCountBody)
      }
      const { tokens } = await inAnthropicNames(async () =>
        chatPrompt(model, chat, answerForm(chat, model).tools?.tools),
      )
      return c.json({ input_tokens: tokens.length } satisfies TokenCountBody)
    })
