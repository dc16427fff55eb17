import { Hono } from 'hono'
import { methodNotAllowed } from 'hono/method-not-allowed'
import type { Access } from './access/access.ts'
import type { GatewayApp, GatewayContext, GatewayVariables } from './context.ts'
import type { PrometheusMetrics } from './metrics.ts'
import { callerAccess } from './middleware/caller-access.ts'
import { handleError } from './middleware/error-handler.ts'
import { methodHandler, notFoundHandler } from './middleware/not-found.ts'
import { originPolicy } from './middleware/origin-policy.ts'
import { rateLimits } from './middleware/rate-limits.ts'
import { requestBody } from './middleware/request-body.ts'
import { requestContext } from './middleware/request-context.ts'
import { requestTrace } from './middleware/request-trace.ts'
import { requestLog } from './middleware/request-log.ts'
import { securityHeaders } from './middleware/security-headers.ts'
import { trustedHost } from './middleware/trusted-host.ts'
import { anthropicRoutes } from './routes/anthropic/index.ts'
import { healthRoutes } from './routes/health.ts'
import { legacyHttpRoutes } from './routes/legacy/generate-http.ts'
import { legacyWebSocketRoute } from './routes/legacy/generate-websocket.ts'
import { legacyModelRoutes } from './routes/legacy/models.ts'
import { ollamaRoutes } from './routes/ollama/index.ts'
import { openaiRoutes } from './routes/openai/index.ts'
import { responsesRoutes } from './routes/responses/index.ts'
import { openapiRoutes } from './routes/openapi.ts'
import { propsRoutes } from './routes/props.ts'
import { sessionRoutes } from './routes/session.ts'
import { signInRoutes } from './routes/sign-in.ts'
import { swarmRoutes } from './routes/swarm.ts'
import { toolRoutes } from './routes/tools.ts'
import { webRoutes } from './routes/web.ts'
import { pathReader } from './request-path.ts'
import type { RequestHandlers } from './server/late-handlers.ts'
import { requestListener } from './server/request-listener.ts'
import { GatewayWebSockets } from './server/websocket-server.ts'
import type { ShutdownController } from './shutdown.ts'

export interface HandlersOptions {
  readonly access: Access
  readonly shutdown: ShutdownController
  readonly metrics: PrometheusMetrics
  readonly webRoot: string | undefined
}

/** What answers requests and upgrades. */
export interface Handlers extends RequestHandlers {
  readonly app: GatewayApp
  readonly webSockets: GatewayWebSockets
}

/**
 * Makes all routes. With the schemas of the API, Node's `fetch` and the files of the page this takes a sixth of the time in
 * which the server starts, so `gateway.ts` imports this file when the first request comes, or when the server is idle.
 */
export function createHandlers(context: GatewayContext, options: HandlersOptions): Handlers {
  const app = createApp(context, options)
  const webSockets = new GatewayWebSockets(context, options.access, options.shutdown, [
    legacyWebSocketRoute(context),
  ])
  return {
    app,
    webSockets,
    listener: requestListener(app),
    upgrade: (request, socket, head) => webSockets.upgrade(request, socket, head),
  }
}

function createApp(
  context: GatewayContext,
  { access, metrics, webRoot }: Omit<HandlersOptions, 'shutdown'>,
): GatewayApp {
  const { config } = context
  const app = new Hono<{ Variables: GatewayVariables }>({ getPath: pathReader(config.basePath) })
  app.onError(handleError)
  app.notFound(notFoundHandler(app))
  app.use(requestContext(context))
  app.use(requestLog(context.metrics))
  app.use(securityHeaders())
  app.use(trustedHost(config))
  app.use(originPolicy(config))
  app.use(methodNotAllowed({ app, onMethodNotAllowed: methodHandler(app) }))
  app.use(callerAccess(access))
  app.use(requestTrace(context))
  app.use(rateLimits(context))
  app.use(requestBody({ maxBytes: config.maxBodyBytes, budget: context.budget }))
  app.route('/', healthRoutes(context))
  app.get('/metrics', async (c) => {
    const { contentType, body } = await metrics.render()
    return c.body(body, 200, { 'content-type': contentType, 'cache-control': 'no-store' })
  })
  app.route('/', openaiRoutes(context))
  app.route('/', responsesRoutes(context))
  app.route('/', anthropicRoutes(context))
  app.route('/', propsRoutes(context))
  app.route('/', ollamaRoutes(context))
  app.route('/', openapiRoutes(context))
  app.route('/', toolRoutes(context))
  app.route('/', legacyHttpRoutes(context))
  app.route('/', legacyModelRoutes(context))
  app.route('/', swarmRoutes(context))
  app.route('/', sessionRoutes(context))
  app.route('/', signInRoutes(context))
  app.route('/', webRoutes(webRoot, config.basePath))
  return app
}
