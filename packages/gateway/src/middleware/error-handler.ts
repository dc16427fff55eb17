import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { GatewayVariables } from '../context.ts'
import {
  anthropicErrorBody,
  describeAndLogError,
  describeError,
  type ErrorDescription,
  errorThatCounts,
  legacyErrorBody,
  errorHeaders,
  ollamaErrorBody,
  openAIErrorBody,
} from '../error-response.ts'
import { GatewayError } from '../errors.ts'
import { isLegacyPath, isAnthropicRequest, isOllamaPath } from '../request-path.ts'

export type RequestContext = Context<{ Variables: GatewayVariables }>

/** Responds to a thrown error, and logs the details that must not leave the server. */
export function handleError(thrown: unknown, c: RequestContext): Response {
  if (thrown instanceof HTTPException) return thrown.getResponse()
  const error = errorThatCounts(thrown, c.var.signal)
  describeAndLogError(error, c.var, 'request failed unexpectedly')
  return errorResponse(error, c)
}

/** Returns the response to an error, in the shape that clients of the path expect. */
export function errorResponse(error: unknown, c: RequestContext): Response {
  const description = describeError(error, c.var.requestId)
  return c.json(
    errorBody(description, c),
    description.status as ContentfulStatusCode,
    errorHeaders(description),
  )
}

function errorBody(description: ErrorDescription, { req, var: { requestId } }: RequestContext) {
  const { path } = req
  if (isLegacyPath(path)) return legacyErrorBody(description)
  if (isOllamaPath(path)) return ollamaErrorBody(description)
  return isAnthropicRequest(path, (name) => req.header(name))
    ? anthropicErrorBody(description, requestId)
    : openAIErrorBody(description)
}

/** Refuses a method that the path does not support. */
export function handleMethodNotAllowed(c: RequestContext, allowed: readonly string[]): Response {
  const message = `${c.req.path.slice(0, 200)} supports ${allowed.join(', ')}, not ${c.req.method}.`
  const response = handleError(new GatewayError('method_not_allowed', message), c)
  response.headers.set('allow', allowed.join(', '))
  return response
}
