import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { GatewayApp, GatewayVariables } from '../context.ts'
import { describeError, legacyErrorBody, openAIErrorBody, retryHeaders } from '../error-response.ts'
import { GatewayError } from '../errors.ts'
import { meantPath } from './meant-path.ts'

type RequestContext = Context<{ Variables: GatewayVariables }>

/** Answers a thrown error. What only the log may see goes there. */
export function handleError(thrown: unknown, c: RequestContext): Response {
  if (thrown instanceof HTTPException) return thrown.getResponse()
  // An aborted request fails in many ways; what matters is why it was aborted.
  const error: unknown = c.var.signal?.aborted ? c.var.signal.reason : thrown
  const description = describeError(error, c.var.requestId)
  if (!description.expected) c.var.logger.error({ err: error }, 'request failed unexpectedly')
  else if (description.status >= 500) c.var.logger.warn({ err: error }, description.message)
  return errorResponse(error, c)
}

/** Says what went wrong in the shape that clients of the path expect. */
export function errorResponse(error: unknown, c: RequestContext): Response {
  const description = describeError(error, c.var.requestId)
  const body = c.req.path.startsWith('/api/') ? legacyErrorBody(description) : openAIErrorBody(description)
  return c.json(body, description.status as ContentfulStatusCode, retryHeaders(description))
}

/** Says where the API is that a path comes near to. */
export function notFoundHandler(app: Pick<GatewayApp, 'routes'>): (c: RequestContext) => Response {
  return (c) => {
    const { method, path } = c.req
    const hint = meantPath(
      path,
      app.routes.map((route) => route.path),
    )
    const message = `Nothing is served at ${method} ${path.slice(0, 200)}.${hint === undefined ? '' : ` ${hint}`}`
    return handleError(new GatewayError('unknown_url', message), c)
  }
}

export function handleMethodNotAllowed(c: RequestContext, allowed: readonly string[]): Response {
  const message = `${c.req.path.slice(0, 200)} takes ${allowed.join(', ')}, not ${c.req.method}.`
  const response = handleError(new GatewayError('method_not_allowed', message), c)
  response.headers.set('allow', allowed.join(', '))
  return response
}
