/**
 * The OpenAI-compatible API in front of the models of this server: chat completions, completions, embeddings, models,
 * and the tokenizer.
 *
 * ```ts
 * const app = new Hono().route('/', openaiRoutes(context))
 * await app.request('/v1/models')
 * ```
 *
 * @packageDocumentation
 */
import { Hono } from 'hono'
import type { GatewayVariables, RouteModule } from '../../context.ts'
import { answerRoutes } from './answers.ts'
import { chatCompletionRoutes } from './chat-completions.ts'
import { completionRoutes } from './completions.ts'
import { embeddingRoutes } from './embeddings.ts'
import { keyRoutes } from './keys.ts'
import { modelRoutes } from './models.ts'
import { tokenizeRoutes } from './tokenize.ts'
import { usageRoutes } from './usage.ts'

/** All routes below `/v1`. */
export const openaiRoutes: RouteModule = (context) =>
  [
    modelRoutes,
    chatCompletionRoutes,
    completionRoutes,
    answerRoutes,
    embeddingRoutes,
    tokenizeRoutes,
    keyRoutes,
    usageRoutes,
  ].reduce((app, routes) => app.route('/', routes(context)), new Hono<{ Variables: GatewayVariables }>())
