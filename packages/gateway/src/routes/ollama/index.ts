/**
 * Ollama's API in front of the models of this server. A request becomes a chat request or a completion, whose events are
 * written as lines of JSON.
 *
 * @packageDocumentation
 */
import { Hono } from 'hono'
import type { GatewayVariables, RouteModule } from '../../context.ts'
import { ollamaAnswerRoutes } from './answers.ts'
import { ollamaEmbedRoutes } from './embed.ts'
import { ollamaManagedRoutes } from './managed-models.ts'
import { ollamaModelRoutes } from './models.ts'

/** All routes of Ollama's API below `/api`. */
export const ollamaRoutes: RouteModule = (context) =>
  [ollamaAnswerRoutes, ollamaModelRoutes, ollamaEmbedRoutes, ollamaManagedRoutes].reduce(
    (app, routes) => app.route('/', routes(context)),
    new Hono<{ Variables: GatewayVariables }>(),
  )
