import type { Metrics } from '@petals-chat/engine'
import type { Context, MiddlewareHandler } from 'hono'
import { routePath } from 'hono/route'
import { ANSWER_ID } from '../answers/kept-answer.ts'
import { RESPONSE_ID } from '../answers/kept-response.ts'
import { loggedClient } from '../client-address.ts'
import type { RequestEnv } from './request-context.ts'

/** Paths by which clients check whether the server is ready for requests. */
export const readinessPaths: readonly string[] = ['/health', '/ready', '/readyz']

/** From a health check to a long answer. */
const DURATION_BUCKETS_SECONDS = [0.005, 0.02, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600]

/** Client-controlled: truncate the path before logging it. */
const MAX_LOGGED_PATH = 200

/**
 * Logs and counts every request when its response has been sent, streams included. Neither the query (it may hold a
 * prompt of /api/v1), nor any body, nor the id of an answer or a response is ever logged.
 */
export function requestLog(metrics: Metrics): MiddlewareHandler<RequestEnv> {
  const requests = metrics.counter({
    name: 'petals_chat_http_requests_total',
    help: 'HTTP requests answered, by route pattern and status.',
    labels: ['method', 'route', 'status'],
  })
  const durations = metrics.histogram({
    name: 'petals_chat_http_request_duration_seconds',
    help: 'From the start of a request to the end of its response.',
    labels: ['route'],
    buckets: DURATION_BUCKETS_SECONDS,
  })
  return async (c, next) => {
    const startedAt = performance.now()
    await next()
    const route = routePath(c)
    const status = c.res.status
    onResponseEnd(c, (aborted) => {
      const ms = performance.now() - startedAt
      requests.add(1, { method: methodLabel(c.req.method), route, status: String(status) })
      durations.observe(ms / 1000, { route })
      c.var.logger[levelOf(route, status)](
        {
          method: c.req.method,
          route,
          path: loggedPath(c.req.path),
          status,
          ms: Math.round(ms),
          ...loggedClient(c.var.client),
          ...(aborted && { aborted }),
        },
        'request',
      )
    })
  }
}

/** Readiness checks repeat until the server is ready, so their 503 is an answer and not a fault. */
function levelOf(route: string, status: number): 'debug' | 'info' | 'warn' {
  if (status < 500) return 'info'
  return readinessPaths.includes(route) ? 'debug' : 'warn'
}

/** Removes the ids of answers: a reader of the log must not be able to read an answer by its id. */
function loggedPath(path: string): string {
  return path.replace(ANSWER_ID, 'ans_…').replace(RESPONSE_ID, 'resp_…').slice(0, MAX_LOGGED_PATH)
}

/** Any token is a valid method, but a label must have few values. */
function methodLabel(method: string): string {
  return ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].includes(method) ? method : 'other'
}

/** Calls `report` when the response has been sent. Without a socket (`app.request()`), it ends with its handler. */
export function onResponseEnd(c: Context<RequestEnv>, report: (aborted: boolean) => void): void {
  const outgoing = c.env?.outgoing
  if (outgoing === undefined) report(false)
  // A client that went away before its whole body had come: nothing can be sent.
  else if (outgoing.closed) report(true)
  else outgoing.once('close', () => report(!outgoing.writableFinished))
}
