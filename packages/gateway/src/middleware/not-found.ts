import type { GatewayApp } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { isApiPath } from '../request-path.ts'
import { handleError, handleMethodNotAllowed, type RequestContext } from './error-handler.ts'

/** Refuses a path that is not served, and suggests the API path that the client probably meant. */
export function notFoundHandler(app: Pick<GatewayApp, 'routes'>): (c: RequestContext) => Response {
  return (c) => {
    const { method, path } = c.req
    const hint = pathHint(
      path,
      app.routes.map((route) => route.path),
    )
    const message = `Nothing is served at ${method} ${path.slice(0, 200)}.${hint === undefined ? '' : ` ${hint}`}`
    return handleError(new GatewayError('unknown_url', message), c)
  }
}

/** OpenAI's stored dialogues. Their paths end like those of other APIs. */
const STORED_DIALOGUES = /\/(assistants|threads)\b/

/** Paths of other servers and of OpenAI that are not served here, with the alternative. */
const FOREIGN_PATHS: readonly (readonly [pattern: RegExp, advice: string])[] = [
  [/\/responses\/compact$/, 'Send the dialogue to POST /v1/responses with truncation: "auto".'],
  [/\/responses\/input_tokens$/, 'Count the tokens of a text or a dialogue with POST /v1/tokenize.'],
  [/\/responses\//, 'A kept response is at /v1/responses/{id}; cancel and input_items are below it.'],
  [/\/complete\b/, 'Use POST /v1/chat/completions.'],
  [/\/(completion|infill)$/, "This server has OpenAI's API under /v1."],
  [/\/api\/blobs\b/, 'Models of this server come from its configuration.'],
  [
    /\/(audio|images|videos|moderations|files|fine_tuning|batches|realtime|rerank)\b/,
    'Models of this server write only text.',
  ],
]

/** OpenAI's operations on responses that are not served here, and look like the id of one. */
const UNSERVED_OPERATION = /^\/v1\/responses\/(compact|input_tokens)$/

/** Paths whose GET writes an answer, so that HEAD is refused there. */
const WITHOUT_HEAD: readonly string[] = ['/api/v1/generate']

/** Refuses a method that a path does not support: of an operation that is not served, the path itself. */
export const methodHandler =
  (app: Pick<GatewayApp, 'routes'>) =>
  (c: RequestContext, allowed: readonly string[]): Response =>
    UNSERVED_OPERATION.test(c.req.path)
      ? notFoundHandler(app)(c)
      : handleMethodNotAllowed(
          c,
          allowed.filter((method) => method !== 'HEAD' || !WITHOUT_HEAD.includes(c.req.path)),
        )

/**
 * Returns a sentence that suggests a path: for a path with `/v1` missing or doubled, in another case, or below a prefix.
 * `routes`: the paths of all routes.
 */
function pathHint(path: string, routes: readonly string[]): string | undefined {
  const requested = path
    .toLowerCase()
    .replace(/\/{2,}/g, '/')
    .replace(/(.)\/$/, '$1')
  if (STORED_DIALOGUES.test(requested))
    return 'Use POST /v1/chat/completions, with all messages of the dialogue.'
  const apis = routes.filter((route) => isApiPath(route) && !route.includes(':'))
  const suggestion = apis.find((route) => requested.endsWith(route) || endsWithoutVersion(requested, route))
  if (suggestion !== undefined) return `Did you mean ${suggestion}?`
  if (/^(\/v1)+$/.test(requested))
    return 'This is the base URL: clients append /chat/completions or /models to it.'
  return FOREIGN_PATHS.find(([pattern]) => pattern.test(requested))?.[1]
}

/** Reports whether `/v1` is missing in the path, as in `/chat/completions` or `/openai/models`. */
function endsWithoutVersion(requested: string, route: string): boolean {
  return route.startsWith('/v1/') && requested.endsWith(route.slice('/v1'.length))
}
